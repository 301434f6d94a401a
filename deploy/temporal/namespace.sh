#!/bin/sh
# Makes the namespace, its retention and the search attributes of Songda. Runs at every `compose up`.
set -eu

until temporal operator cluster health >/dev/null 2>&1; do
  echo "Waiting for Temporal at $TEMPORAL_ADDRESS …"
  sleep 2
done

if ! temporal operator namespace describe --namespace default >/dev/null 2>&1; then
  temporal operator namespace create --namespace default --retention 72h
fi
temporal operator namespace update --namespace default --retention 72h

# A new namespace is known to every part of the server after some seconds.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  known=$(temporal operator search-attribute list --namespace default 2>/dev/null) && break
  echo "Waiting for the namespace (attempt $attempt) …"
  sleep 3
done

for attribute in AccountId=Keyword Stage=Keyword Channel=Keyword NeedsHuman=Bool DueAt=Datetime; do
  name=${attribute%=*}
  if ! echo "$known" | grep -qw "$name"; then
    temporal operator search-attribute create --namespace default --name "$name" --type "${attribute#*=}"
  fi
done
