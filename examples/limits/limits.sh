#!/bin/sh
# Limits of tags by the command line, and the same by curl.
#
#   RUNNEL='go run ./cmd/runnel' examples/limits/limits.sh
#
# It starts a server of its own, in memory, and ends it.
set -eu

RUNNEL=${RUNNEL:-runnel}
dir=$(mktemp -d)
$RUNNEL dev --listen 127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT INT TERM

# Its first line says where it is.
until [ -s "$dir/out" ]; do
	kill -0 "$server" || { cat "$dir/err" >&2; exit 1; }
	sleep 0.1
done
RUNNEL_SERVER=$(sed -n 's/.* at //p' "$dir/out")
export RUNNEL_SERVER

say() { printf '\n$ %s\n' "$*"; }

# By the command line.
for args in 'create small_instance 10' 'ls' 'read small_instance' 'create small_instance 5' 'delete small_instance' 'ls'; do
	say "runnel concurrency-limit $args"
	# shellcheck disable=SC2086 # the words are arguments
	$RUNNEL concurrency-limit $args
done

# By REST.
api=$RUNNEL_SERVER/api/v1
request() { # METHOD PATH [BODY]
	say "curl -X $1 \$RUNNEL_SERVER/api/v1$2${3:+ -d '$3'}"
	curl --silent --show-error --fail-with-body --write-out '%{http_code}\n' --request "$1" "$api$2" \
		${3:+--header 'Content-Type: application/json' --data "$3"}
}
request POST /limits '{"tag":"small_instance","limit":10}'
request GET /limits
request GET /limits/small_instance
request PUT /limits/small_instance '{"limit":5}'
request DELETE /limits/small_instance
request GET /limits
