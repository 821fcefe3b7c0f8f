-- The password of a phone is made by its box, which tells what verifies it: on which claim of the ID, and as which password of
-- the claim. Empty where the cloud made it.
ALTER TABLE credential ADD COLUMN claim INTEGER;
ALTER TABLE credential ADD COLUMN serial INTEGER;

-- What is at the ports of each box, as it was told last.
CREATE TABLE hub (
    box      TEXT    PRIMARY KEY REFERENCES box (id),
    bytes    BLOB    NOT NULL, -- as the box encoded it
    received INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
