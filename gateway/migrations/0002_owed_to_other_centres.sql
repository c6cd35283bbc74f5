-- `settled` is about the first centre. Each other one has a bit in `owed` as long as it lacks the event. Most homes have
-- no other: then `owed` is 0, which takes no bytes, its index has nothing in it, and no commit writes a page more.
ALTER TABLE event ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX owed ON event (epoch, sequence, severity, terminal, owed) WHERE owed <> 0;
CREATE TABLE centre (bit INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
