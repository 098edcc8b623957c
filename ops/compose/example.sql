-- The example users of compose.yaml. Everybody is active and has one session. Each person of docs/examples is among them.
CREATE TABLE users (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email           text NOT NULL UNIQUE,
    hashed_password text NOT NULL,
    is_active       boolean NOT NULL DEFAULT true
);
CREATE INDEX ON users (lower(email));
CREATE TABLE sessions (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users
);
INSERT INTO users (email, hashed_password)
SELECT name || '@example.com', 'not a password'
FROM unnest(ARRAY[
    -- docs/examples/five.json: two have left, one works, one starts in the year 2100.
    'dana.ruiz', 'omar.lind', 'ada.keller', 'nora.silva',
    -- docs/examples/merge.json: has left.
    'priya.nair',
    -- Nobody of the examples. They keep their access, and make the safeguard's share of leavers a usual one.
    'ben.okafor', 'carla.vogt', 'diego.sanz', 'elif.kaya', 'femi.ade', 'greta.holm', 'hugo.marin', 'ines.costa', 'jan.novak',
    'kim.larsen', 'lena.wolf', 'marco.rossi', 'nils.berg', 'olga.petrova', 'paul.meyer'
]) AS name;
INSERT INTO sessions (user_id) SELECT id FROM users;
