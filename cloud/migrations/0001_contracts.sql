-- Contracts, numbers, IDs, sites, boxes. Times are milliseconds since 1970 (UTC). Numbers are national digits.

CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contract (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL,
    outside_prefix INTEGER,
    international  INTEGER NOT NULL DEFAULT 0,
    created        INTEGER NOT NULL
) STRICT;

-- R1: a number is in use by one contract, in one role.
CREATE TABLE number (
    digits   TEXT    PRIMARY KEY,
    contract INTEGER NOT NULL REFERENCES contract (id),
    role     TEXT    NOT NULL CHECK (role IN ('direct', 'rep'))
) STRICT, WITHOUT ROWID;

CREATE TABLE site (
    id       INTEGER PRIMARY KEY,
    contract INTEGER NOT NULL REFERENCES contract (id),
    name     TEXT    NOT NULL,
    created  INTEGER NOT NULL
) STRICT;

-- R5, R7, R16: the first ID of a contract is the basic one. An ID without a site belongs to the contract's first.
CREATE TABLE ident (
    contract   INTEGER NOT NULL REFERENCES contract (id),
    key        INTEGER NOT NULL CHECK (key BETWEEN 0 AND 63),
    role       TEXT    NOT NULL CHECK (role IN ('basic', 'additional')),
    site       INTEGER REFERENCES site (id),
    direct     TEXT    NOT NULL UNIQUE REFERENCES number (digits),
    extension  TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('fixed', 'app', 'adapter')),
    direct_in  INTEGER NOT NULL DEFAULT 1,
    direct_out INTEGER NOT NULL DEFAULT 1,
    outgoing   TEXT    NOT NULL REFERENCES number (digits),
    ha1_md5    BLOB    NOT NULL CHECK (length(ha1_md5) = 16),
    ha1_sha256 BLOB    NOT NULL CHECK (length(ha1_sha256) = 32),
    created    INTEGER NOT NULL,
    PRIMARY KEY (contract, key),
    UNIQUE (contract, extension)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_basic_id ON ident (contract) WHERE role = 'basic';

CREATE TABLE rep (
    number   TEXT    PRIMARY KEY REFERENCES number (digits),
    contract INTEGER NOT NULL REFERENCES contract (id),
    label    TEXT    NOT NULL,
    sub_cap  INTEGER,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rep_member (
    number   TEXT    NOT NULL REFERENCES rep (number) ON DELETE CASCADE,
    contract INTEGER NOT NULL,
    key      INTEGER NOT NULL,
    ring     INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (number, key),
    FOREIGN KEY (contract, key) REFERENCES ident (contract, key)
) STRICT, WITHOUT ROWID;

-- A site has at most one box. The secret itself is nowhere here: only what verifies it.
CREATE TABLE box (
    id           TEXT    PRIMARY KEY,
    site         INTEGER NOT NULL UNIQUE REFERENCES site (id),
    host         TEXT    NOT NULL,
    realm        TEXT    NOT NULL,
    mqtt_hash    TEXT    NOT NULL,
    ha1_md5      BLOB    NOT NULL CHECK (length(ha1_md5) = 16),
    ha1_sha256   BLOB    NOT NULL CHECK (length(ha1_sha256) = 32),
    created      INTEGER NOT NULL,
    online       INTEGER NOT NULL DEFAULT 0,
    seen         INTEGER,
    firmware     TEXT    NOT NULL DEFAULT '',
    boot         INTEGER,
    epoch        INTEGER NOT NULL DEFAULT 0,
    nack         TEXT
) STRICT, WITHOUT ROWID;
