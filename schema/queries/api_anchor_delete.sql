DELETE FROM trust_anchor WHERE id = $1::text
