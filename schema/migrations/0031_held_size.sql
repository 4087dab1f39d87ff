-- How much of a tenant's mail is held is asked for each mail that is to be: of the index alone.
CREATE INDEX held_message_size ON held_message (tenant_id) INCLUDE (size_bytes) WHERE state = 'held';
