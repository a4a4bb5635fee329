-- A passage belongs to every generation from `first` to `last`, so that what did not change is
-- written once. What the role that searches can read is under row-level security.

create schema whimbrel_index;

create table whimbrel_index.generations (
    number int primary key,
    name text not null unique,
    manifest text not null,
    passages int not null,
    languages text[] not null
);

-- How many passages of a generation have a label, and how many terms they have.
create table whimbrel_index.sizes (
    generation int not null references whimbrel_index.generations on delete cascade,
    label text not null,
    passages int not null,
    length bigint not null,
    primary key (generation, label)
);

-- Generations and passages are numbered by it; a number is never used again.
create sequence whimbrel_index.numbers as int;

-- The one row that publishes.
create table whimbrel_index.served (
    is_only boolean primary key default true check (is_only),
    generation int not null references whimbrel_index.generations
);

-- Documents, failures and what was left out, as the files of a generation hold them.
create table whimbrel_index.lists (
    generation int not null references whimbrel_index.generations on delete cascade,
    name text not null,
    body bytea not null,
    primary key (generation, name)
);

-- In how many passages of a generation with a label a term occurs.
create table whimbrel_index.terms (
    generation int not null references whimbrel_index.generations on delete cascade,
    term text not null,
    label text not null,
    passages int not null,
    primary key (generation, term, label)
);

-- `label` is of now, also in the generation before; null is for nobody.
create table whimbrel_index.documents (
    first int not null,
    last int not null,
    id text not null,
    label text,
    language text not null,
    passages int not null,
    body text not null
);
-- By hash, since a path may be longer than a tree takes.
create index on whimbrel_index.documents using hash (id);

create table whimbrel_index.passages (
    number int primary key,
    first int not null,
    last int not null,
    document text not null,
    place int not null,
    label text,
    language text not null,
    length int not null,
    dimension int not null,
    digest bytea not null,
    body text not null,
    vector vector not null
);
-- A scan of all vectors must not look each of them up elsewhere.
alter table whimbrel_index.passages alter vector set storage main;
create index on whimbrel_index.passages using hash (document);
create index on whimbrel_index.passages (language, label);

-- Where terms occur: `packed` is an array of what words.py calls a posting, which is added up where
-- it is asked for, since that takes a tenth of the time. A segment is what one generation brought; a
-- passage that has gone is left in it until many have.
create table whimbrel_index.postings (
    term text not null,
    label text not null,
    segment int not null,
    packed bytea not null,
    primary key (term, label, segment)
);
-- It hardly gets smaller.
alter table whimbrel_index.postings alter packed set storage external;
create index on whimbrel_index.postings (segment);
create table whimbrel_index.segments (
    segment int primary key,
    passages int not null
);

-- The labels that a transaction may read: a JSON list in `whimbrel.labels`; none where it is unset.
create function whimbrel_index.readable() returns text[] language sql stable as $$
    select array(select jsonb_array_elements_text(
        nullif(current_setting('whimbrel.labels', true), '')::jsonb))
$$;

alter table whimbrel_index.documents enable row level security, force row level security;
alter table whimbrel_index.passages enable row level security, force row level security;
alter table whimbrel_index.postings enable row level security, force row level security;

create policy reads on whimbrel_index.documents for select to whimbrel_reader
    using (label = any ((select whimbrel_index.readable())::text[]));
create policy reads on whimbrel_index.passages for select to whimbrel_reader
    using (label = any ((select whimbrel_index.readable())::text[]));
create policy reads on whimbrel_index.postings for select to whimbrel_reader
    using (label = any ((select whimbrel_index.readable())::text[]));

-- The owner of the tables sees rows only where it says that it builds.
create policy builds on whimbrel_index.documents to current_user
    using (current_setting('whimbrel.builds', true) = 'on');
create policy builds on whimbrel_index.passages to current_user
    using (current_setting('whimbrel.builds', true) = 'on');
create policy builds on whimbrel_index.postings to current_user
    using (current_setting('whimbrel.builds', true) = 'on');

grant usage on schema whimbrel_index to whimbrel_reader;
grant select on whimbrel_index.documents, whimbrel_index.passages, whimbrel_index.postings
    to whimbrel_reader;
