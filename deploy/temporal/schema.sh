#!/bin/sh
# Makes Temporal's two databases and brings them to the schema of this image's version. Runs at every `compose up`.
set -eu

tool() {
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" "$@"
}

# Updating is what a second run needs. At the first run it fails, for there is nothing to update yet.
prepare() {
  scripts="/etc/temporal/schema/postgresql/v12/$2/versioned"
  if ! tool --db "$1" update-schema -d "$scripts"; then
    tool --db "$1" create || echo "The database $1 exists already."
    tool --db "$1" setup-schema -v 0.0
    tool --db "$1" update-schema -d "$scripts"
  fi
}

prepare temporal temporal
prepare temporal_visibility visibility
