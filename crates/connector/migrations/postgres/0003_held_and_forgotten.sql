-- The groups a held plan was made with: approving it adopts these and no others.
ALTER TABLE runs ADD COLUMN held_sync_group TEXT;
ALTER TABLE runs ADD COLUMN held_rotation_group TEXT;

-- Since when config-service has not known the domain. What is known of its people goes some time after.
ALTER TABLE domains ADD COLUMN forgotten_time BIGINT;
