-- A contract is one document, changed only by orders (crate `contract`); what it was told is kept. Beside it stand what
-- must be unique across contracts (numbers, sites) and what is secret (credentials).

-- An ID without a site belonged to the contract's first; now every ID has one.
INSERT INTO site (contract, name, created)
SELECT id, '本社', created FROM contract
 WHERE id IN (SELECT contract FROM ident) AND id NOT IN (SELECT contract FROM site);
UPDATE ident SET site = (SELECT min(site.id) FROM site WHERE site.contract = ident.contract) WHERE site IS NULL;

-- version: of the document; every order makes the next one.
ALTER TABLE contract ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE contract ADD COLUMN document TEXT NOT NULL DEFAULT '{}';

-- Schema 1 of the document is what these tables held.
UPDATE contract SET document = json_object('schema', 1, 'contract', json_object(
    'id', id,
    'name', name,
    'created', date(created / 1000, 'unixepoch', '+9 hours'),
    'outside_prefix', outside_prefix,
    'international', iif(international, json('true'), json('false')),
    'sites', (
        SELECT json_group_array(json_object('id', s.id, 'name', s.name))
          FROM (SELECT * FROM site WHERE site.contract = contract.id ORDER BY id) AS s),
    'ids', (
        SELECT json_group_array(json_object(
                   'key', i.key,
                   'basic', iif(i.role = 'basic', json('true'), json('false')),
                   'created', date(i.created / 1000, 'unixepoch', '+9 hours'),
                   'site', i.site,
                   'direct', i.direct,
                   'extension', CAST(i.extension AS INTEGER),
                   'label', i.label,
                   'kind', i.kind,
                   'direct_in', iif(i.direct_in, json('true'), json('false')),
                   'direct_out', iif(i.direct_out, json('true'), json('false')),
                   'outgoing', i.outgoing))
          FROM (SELECT * FROM ident WHERE ident.contract = contract.id ORDER BY key) AS i),
    'reps', (
        SELECT json_group_array(json_object(
                   'number', r.number,
                   'created', date(r.created / 1000, 'unixepoch', '+9 hours'),
                   'label', r.label,
                   'sub_cap', r.sub_cap,
                   'members', (SELECT json_group_array(m.key)
                                 FROM (SELECT key FROM rep_member WHERE rep_member.number = r.number ORDER BY key) AS m),
                   'ring', (SELECT json_group_array(m.key)
                              FROM (SELECT key FROM rep_member WHERE rep_member.number = r.number AND ring
                                     ORDER BY key) AS m)))
          FROM (SELECT * FROM rep WHERE rep.contract = contract.id ORDER BY number) AS r)));

-- What verifies the passwords of phones (RFC 7616 §3.4.2); the passwords themselves are nowhere.
CREATE TABLE credential (
    contract   INTEGER NOT NULL REFERENCES contract (id),
    key        INTEGER NOT NULL CHECK (key BETWEEN 0 AND 63),
    ha1_md5    BLOB    NOT NULL CHECK (length(ha1_md5) = 16),
    ha1_sha256 BLOB    NOT NULL CHECK (length(ha1_sha256) = 32),
    PRIMARY KEY (contract, key)
) STRICT, WITHOUT ROWID;
INSERT INTO credential (contract, key, ha1_md5, ha1_sha256)
SELECT contract, key, ha1_md5, ha1_sha256 FROM ident;

-- What each contract was told, by whom, and the version it made: the audit log.
CREATE TABLE command (
    contract INTEGER NOT NULL REFERENCES contract (id),
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    command  TEXT    NOT NULL,
    PRIMARY KEY (contract, version)
) STRICT, WITHOUT ROWID;

DROP TABLE rep_member;
DROP TABLE rep;
DROP TABLE ident;
ALTER TABLE number DROP COLUMN role;
ALTER TABLE site DROP COLUMN name;
ALTER TABLE site DROP COLUMN created;
ALTER TABLE contract DROP COLUMN name;
ALTER TABLE contract DROP COLUMN outside_prefix;
ALTER TABLE contract DROP COLUMN international;
ALTER TABLE contract DROP COLUMN created;

-- The official lists of number areas, as they were imported; without them the program knows a few areas by itself.
CREATE TABLE area_file (
    name     TEXT    PRIMARY KEY CHECK (name IN ('areas', 'numbers')),
    bytes    BLOB    NOT NULL,
    imported INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
