-- Indexes for questions about many builds: the collection `builds` of self-serve. Optional, and made like those of
-- questions.sql: kinto/bin/index apply --of builds

-- `rev=`, `owner=`, `state=`, `claimed_by_name=`: Kinto asks `data @> '{"rev": "abcdef012345"}'`.
CREATE INDEX CONCURRENTLY buildhub_build_facts ON objects
    USING gin (data jsonb_path_ops)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;

-- A branch's day: `in_branch=…&min_starttime=…&lt_starttime=…`.
CREATE INDEX CONCURRENTLY buildhub_build_day ON objects
    ((data -> 'branch'), (data -> 'starttime'))
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;

-- The newest ones: `_sort=-build_id`. Kinto adds the date of the last change.
CREATE INDEX CONCURRENTLY buildhub_build_newest ON objects
    ((data -> 'build_id') DESC, last_modified)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;

-- Reports: `min_endtime=…&lt_endtime=…&_sort=endtime`.
CREATE INDEX CONCURRENTLY buildhub_build_end ON objects
    ((data -> 'endtime'), last_modified)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;
