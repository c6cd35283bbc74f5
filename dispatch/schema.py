"""The centre's database, as the SQL steps that lead to it: step n brings user_version from n-1 to n."""

from __future__ import annotations

from typing import Final

# A step that has been released is never changed: a new one is added at the end.
STEPS: Final = (
    """
    CREATE TABLE incidents (
        id INTEGER PRIMARY KEY,
        gateway TEXT NOT NULL,
        terminal TEXT NOT NULL,
        room TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        phase TEXT NOT NULL,            -- raised, updated or restored: of the last event that counts
        unverified INTEGER NOT NULL,    -- 1 while every event of it is in doubt
        late INTEGER NOT NULL,          -- 1 while every raise of it came late
        opened_ms INTEGER NOT NULL,     -- by the centre's clock: the moment it was received
        restored_ms INTEGER
    );
    CREATE INDEX incidents_open ON incidents (gateway, terminal, kind) WHERE restored_ms IS NULL;

    CREATE TABLE events (
        gateway TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        alarm_epoch INTEGER NOT NULL,   -- the event that raised the alarm, under the id that is stored here
        alarm_sequence INTEGER NOT NULL,
        kind TEXT NOT NULL,
        phase TEXT NOT NULL,
        severity TEXT NOT NULL,
        link TEXT NOT NULL,
        terminal TEXT NOT NULL,
        room TEXT NOT NULL,
        raised_ms INTEGER NOT NULL,     -- by the gateway's clock, worth what `clock` says
        raised_mono_ms INTEGER NOT NULL,
        boot INTEGER NOT NULL,
        clock TEXT NOT NULL,
        source_boot INTEGER,
        source_number INTEGER,
        position TEXT,                  -- JSON
        evidence TEXT NOT NULL,         -- JSON
        flags TEXT NOT NULL,            -- JSON
        unverified INTEGER NOT NULL,
        attempt INTEGER NOT NULL,       -- transmissions: those that came, or what the gateway counts if that is more
        age_ms INTEGER,                 -- at its first arrival; null: the gateway could not tell
        late INTEGER NOT NULL,
        committed_ms INTEGER NOT NULL,  -- by the centre's clock
        incident INTEGER REFERENCES incidents (id),
        envelope BLOB NOT NULL,
        PRIMARY KEY (gateway, epoch, sequence)
    );
    -- An event in doubt must not take the place of the genuine one whose source it names.
    CREATE UNIQUE INDEX events_source ON events (gateway, terminal, source_boot, source_number, phase, kind)
        WHERE source_boot IS NOT NULL AND unverified = 0;
    CREATE INDEX events_alarm ON events (gateway, alarm_epoch, alarm_sequence);
    CREATE INDEX events_incident ON events (incident);

    -- Other ids of a stored event: a gateway that crashed between sending and committing names it anew.
    CREATE TABLE aliases (
        gateway TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        stored_epoch INTEGER NOT NULL,
        stored_sequence INTEGER NOT NULL,
        PRIMARY KEY (gateway, epoch, sequence)
    ) WITHOUT ROWID;

    -- What came under an id that another event holds: kept as evidence.
    CREATE TABLE conflicts (
        gateway TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        content TEXT NOT NULL,
        committed_ms INTEGER NOT NULL,
        envelope BLOB NOT NULL,
        PRIMARY KEY (gateway, epoch, sequence, content)
    ) WITHOUT ROWID;

    -- Which ids have been committed, merged, for ever: it outlives the events themselves.
    CREATE TABLE intervals (
        gateway TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (gateway, epoch, first)
    ) WITHOUT ROWID;

    CREATE TABLE gateways (
        id TEXT PRIMARY KEY,
        heartbeat_ms INTEGER NOT NULL,  -- the last one's arrival, by the centre's clock
        heartbeat TEXT NOT NULL         -- JSON: what it said
    ) WITHOUT ROWID;

    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
)
