-- Firmware of phones, as their makers publish it.
CREATE TABLE phone_firmware (
    model   TEXT    NOT NULL,
    version TEXT    NOT NULL,
    name    TEXT    NOT NULL, -- of the file, as phones ask for it
    size    INTEGER NOT NULL CHECK (size > 0),
    hash    BLOB    NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the file
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

-- The files by hash, in pieces: what a box asks for at a time is in two of them at most. Models may share a file.
CREATE TABLE phone_firmware_piece (
    hash  BLOB    NOT NULL,
    place INTEGER NOT NULL, -- from 0; all pieces but the last are of 1,024 bytes
    bytes BLOB    NOT NULL,
    PRIMARY KEY (hash, place)
) STRICT;

-- What phones of a model shall run at a site.
CREATE TABLE site_phone_firmware (
    site    INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    model   TEXT    NOT NULL,
    version TEXT    NOT NULL,
    place   INTEGER NOT NULL DEFAULT 0, -- in the flash of its box
    PRIMARY KEY (site, model),
    FOREIGN KEY (model, version) REFERENCES phone_firmware (model, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX site_phone_firmware_use ON site_phone_firmware (model, version);

-- What a box told last of a file: it is there whole, or what came had another digest. It holds while the configurations that
-- the box uses have the file at the same place.
CREATE TABLE box_phone_firmware (
    box   TEXT    NOT NULL REFERENCES box (id),
    hash  BLOB    NOT NULL,
    place INTEGER NOT NULL,
    told  TEXT    NOT NULL CHECK (told IN ('verified', 'damaged')),
    PRIMARY KEY (box, hash)
) STRICT, WITHOUT ROWID;

-- Whether the box of a site has what its phones shall run.
CREATE VIEW site_phone_firmware_state AS
SELECT wanted.site, wanted.model, wanted.version, phone_firmware.name, phone_firmware.size,
       coalesce(told.told, 'awaited') AS state
  FROM site_phone_firmware wanted
  JOIN phone_firmware USING (model, version)
  LEFT JOIN box ON box.site = wanted.site
  LEFT JOIN box_phone_firmware told
    ON told.box = box.id AND told.hash = phone_firmware.hash AND told.place = wanted.place;
