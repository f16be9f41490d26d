-- SPDX-License-Identifier: Apache-2.0
-- Valid for PostgreSQL and SQLite.
create table notes (
    id integer primary key,
    text text not null,
    stars integer not null default 0
);
create table counters (
    name text primary key,
    value integer not null
);
insert into counters (name, value) values ('notes', 0);
