-- Issued configurations and what the boxes report.

-- Contents by hash: the same bytes are kept once, and any answer to a `get` is one read.
CREATE TABLE section (
    hash   BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    kind   INTEGER NOT NULL,
    schema INTEGER NOT NULL,
    bytes  BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest (
    box    TEXT    NOT NULL REFERENCES box (id),
    epoch  INTEGER NOT NULL,
    root   BLOB    NOT NULL CHECK (length(root) = 32),
    issued INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (box, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest_section (
    box   TEXT    NOT NULL,
    epoch INTEGER NOT NULL,
    kind  INTEGER NOT NULL,
    hash  BLOB    NOT NULL REFERENCES section (hash),
    PRIMARY KEY (box, epoch, kind),
    FOREIGN KEY (box, epoch) REFERENCES manifest (box, epoch)
) STRICT, WITHOUT ROWID;

-- Every event, exactly once, by the identity its writer gave it. origin: a box id, or `cloud`.
CREATE TABLE event (
    id       INTEGER PRIMARY KEY,
    origin   TEXT    NOT NULL,
    boot     INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    bytes    BLOB    NOT NULL, -- as its writer encoded it
    received INTEGER NOT NULL,
    UNIQUE (origin, boot, seq)
) STRICT;

CREATE TABLE call_leg (
    origin        TEXT    NOT NULL,
    boot          INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    contract      INTEGER,
    session       TEXT    NOT NULL,
    leg           INTEGER NOT NULL,
    side          TEXT    NOT NULL CHECK (side IN ('box', 'cloud')),
    direction     TEXT    NOT NULL CHECK (direction IN ('in', 'out')),
    caller        TEXT    NOT NULL,
    called        TEXT    NOT NULL,
    presented     TEXT,
    terminal      INTEGER,
    started_mono  INTEGER NOT NULL,
    started_unix  INTEGER,
    ringing_mono  INTEGER,
    answered_mono INTEGER,
    answered_unix INTEGER,
    ended_mono    INTEGER NOT NULL,
    ended_unix    INTEGER,
    state         TEXT    NOT NULL,
    status        INTEGER NOT NULL,
    received      INTEGER NOT NULL,
    UNIQUE (origin, boot, seq)
) STRICT;

CREATE INDEX call_leg_session ON call_leg (session);

-- One row for each call: the legs of box and cloud joined by the session.
CREATE VIEW call AS
SELECT session,
       max(contract)                                  AS contract,
       min(coalesce(started_unix, received))          AS started,
       min(answered_unix)                             AS answered,
       max(coalesce(ended_unix, received))            AS ended,
       count(*)                                       AS legs,
       sum(side = 'box')                              AS box_legs,
       sum(side = 'cloud')                            AS cloud_legs,
       max(state = 'answered')                        AS was_answered
  FROM call_leg
 GROUP BY session;

-- What is registered now: phones at a box (source: that box's events), box trunks at the cloud (source: `cloud`).
CREATE TABLE registration (
    source  TEXT    NOT NULL,
    user    TEXT    NOT NULL,
    contact TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (source, user)
) STRICT, WITHOUT ROWID;
