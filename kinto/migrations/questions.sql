-- Indexes for questions about a collection of a million builds. Optional: Kinto works the same without them, but reads
-- every record for each question. `kinto/bin/index` puts the collection's path in place of :collection, makes each
-- index while the server goes on working, and tells whether PostgreSQL uses it.
--
-- Kinto writes what follows WHERE into each of its statements as literals, so that the indexes hold one collection's
-- living records and nothing else: other collections' writes pay nothing.

-- `field=value`, for any field: Kinto asks `data @> '{"target": {"channel": "release"}}'`.
CREATE INDEX CONCURRENTLY buildhub_facts ON objects
    USING gin (data jsonb_path_ops)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;

-- `_sort=-build.date`: Kinto adds the date of the last change, so that pages have one order.
CREATE INDEX CONCURRENTLY buildhub_date ON objects
    ((data -> 'build' -> 'date'), last_modified)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;

-- `_sort=-build.id,id`, as `buildhub find` asks, and `has_build.id=`.
CREATE INDEX CONCURRENTLY buildhub_id ON objects
    ((data -> 'build' -> 'id') DESC, id)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;
