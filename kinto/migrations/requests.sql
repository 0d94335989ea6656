-- An index for questions about many requests: the collection `requests` of self-serve. Optional, and made like those of
-- questions.sql: kinto/bin/index apply --of requests

-- `state=`, `rev=`, `owner=`: Kinto asks `data @> '{"state": "pending"}'`. Few requests wait, so that what else is asked of
-- them needs no index.
CREATE INDEX CONCURRENTLY buildhub_request_facts ON objects
    USING gin (data jsonb_path_ops)
    WHERE parent_id = :collection AND resource_name = 'record' AND NOT deleted;
