-- Rows are read once, after a start or an outage, and written one by one for ever: so one index, of what waits only.
-- `settled` is 0 or 1, which SQLite stores in no bytes at all: a receipt never makes a row grow and its page split.
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    written_s INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    crc INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE UNIQUE INDEX unsettled ON event (epoch, sequence, severity, terminal) WHERE settled = 0;
CREATE TABLE state (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    crc INTEGER NOT NULL,
    value BLOB NOT NULL
);
CREATE TABLE damaged (number INTEGER PRIMARY KEY, noticed_s INTEGER NOT NULL, record BLOB);
