-- :rows made-up builds in Kinto's own table, for measurements and tests of reading: shaped like Mozilla's (600 archives a
-- build, seven products, five channels), in no order of date. Thousands of times as fast as writing them through Kinto, and
-- with the same result, for the dates of change that Kinto's trigger would give are given here.
SET session_replication_role = replica;

INSERT INTO objects (id, parent_id, resource_name, last_modified, data, deleted)
SELECT format('%s_%s_%s_%s_%s', product, replace(version, '.', '-'), build_id, platform, locale),
       '/buckets/build-hub/collections/releases', 'record', from_epoch(1500000000000 + n),
       jsonb_build_object(
           'schema', 1500000000000,
           'source', jsonb_build_object(
               'product', product, 'tree', tree, 'repository', 'https://hg.mozilla.org/' || tree,
               'revision', substr(md5('a' || build) || md5('b' || build), 1, 40)),
           'target', jsonb_build_object(
               'platform', platform, 'os', os, 'locale', locale, 'version', version, 'channel', channel),
           'build', jsonb_build_object(
               'id', build_id, 'date', to_char(built, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'number', 1 + build % 3,
               'as', 'ml64.exe', 'cc', '/builds/worker/workspace/build/src/gcc/bin/gcc -std=gnu99',
               'cxx', '/builds/worker/workspace/build/src/gcc/bin/g++',
               'host', 'x86_64-pc-linux-gnu', 'target', 'x86_64-pc-linux-gnu'),
           'download', jsonb_build_object(
               'url', format('https://archive.mozilla.org/pub/%s/candidates/%s-candidates/build%s/%s/%s/%s-%s.tar.bz2',
                             product, version, 1 + build % 3, platform, locale, product, version),
               'mimetype', 'application/x-bzip2', 'size', 40000000 + n,
               'date', to_char(built + interval '9 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))),
       false
FROM (SELECT *, to_char(built, 'YYYYMMDDHH24MISS') AS build_id
      FROM (SELECT n, build, timestamp '2012-01-01' + build * interval '3 hours 7 minutes 11 seconds' AS built,
                   (ARRAY['firefox', 'firefox', 'firefox', 'firefox', 'thunderbird', 'fennec', 'devedition'])[1 + build % 7]
                       AS product,
                   (ARRAY['release', 'beta', 'beta', 'aurora', 'esr', 'nightly', 'nightly', 'nightly', 'nightly', 'nightly'])
                       [1 + build % 10] AS channel,
                   (ARRAY['mozilla-central', 'releases/mozilla-beta', 'releases/mozilla-release'])[1 + build % 3] AS tree,
                   format('%s.0%s', 20 + build / 200,
                          (ARRAY['', 'b3', 'b11', 'a2', 'esr', 'a1', 'a1', 'a1', 'a1', 'a1'])[1 + build % 10]) AS version,
                   (ARRAY['win32', 'win64', 'macosx', 'linux-i686', 'linux-x86_64', 'android-api-15'])[1 + (n / 100) % 6]
                       AS platform,
                   (ARRAY['win', 'win', 'mac', 'linux', 'linux', 'android'])[1 + (n / 100) % 6] AS os,
                   'l' || n % 100 AS locale
            FROM (SELECT n, (n / 600) * 7919 % 20011 AS build FROM generate_series(0, :rows - 1) n) rows) facts) builds;

ANALYZE objects;
