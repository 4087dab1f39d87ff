-- Keys of our own on P-256 and P-384 (REQ-24): they sign by ECDSA and agree by ECDH.
SET LOCAL search_path = sealgate;

ALTER TABLE hsm_key DROP CONSTRAINT hsm_key_algorithm_check;
ALTER TABLE hsm_key ADD CONSTRAINT hsm_key_algorithm_check CHECK
    (algorithm IN ('rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384'));
ALTER TABLE certificate_authority DROP CONSTRAINT certificate_authority_key_algorithm_check;
ALTER TABLE certificate_authority ADD CONSTRAINT certificate_authority_key_algorithm_check CHECK
    (key_algorithm IN ('rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384'));
