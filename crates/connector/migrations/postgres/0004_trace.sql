-- The trace of the request that asked for a run, which its own work is part of (W3C trace context).
ALTER TABLE runs ADD COLUMN traceparent TEXT COLLATE "C";
