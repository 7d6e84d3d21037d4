#!/usr/bin/env bash
# Starts PostgreSQL, after making a database cluster where PGDATA holds none.
#
# The interface is the official image's: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS
# (each also as NAME_FILE), POSTGRES_HOST_AUTH_METHOD, PGDATA and /docker-entrypoint-initdb.d.
set -Eeuo pipefail

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Sets NAME from the file in NAME_FILE, or else to a default; NAME_FILE is gone afterwards.
read_setting() {
    local name=$1 default=${2:-} file_name="$1_FILE"
    if [ -n "${!file_name:-}" ]; then
        [ -z "${!name:-}" ] || fail "both $name and $file_name are set, and only one can be meant"
        export "$name"="$(<"${!file_name}")"
    else
        export "$name"="${!name:-$default}"
    fi
    unset "$file_name"
}

make_folders() {
    mkdir -p "$PGDATA" /var/run/postgresql || true
    chmod 0700 "$PGDATA" || true
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    fi
}

make_cluster() {
    [ -n "$POSTGRES_PASSWORD" ] || [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ] ||
        fail "POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is needed for the first start of a new database"
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    # The arguments are meant to be split: that is how several of them are given.
    # shellcheck disable=SC2086
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_sql() {
    PGHOST='' PGHOSTADDR='' PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc \
        --username "$POSTGRES_USER" "$@"
}

run_first_start_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        printf '%s: running %s\n' "$0" "$file"
        case $file in
            *.sh)
                if [ -x "$file" ]; then "$file"; else
                    # shellcheck disable=SC1090
                    . "$file"
                fi
                ;;
            *.sql) run_sql --dbname "$POSTGRES_DB" --file "$file" ;;
            *.sql.gz) gunzip --stdout "$file" | run_sql --dbname "$POSTGRES_DB" ;;
            *) printf '%s: ignoring %s\n' "$0" "$file" ;;
        esac
    done
}

# Reachable through its socket alone, so that nobody meets a half-made database.
fill_cluster() {
    shift
    pg_ctl --pgdata "$PGDATA" --wait start \
        --options "$(printf '%q ' "$@" -c listen_addresses='' -p "${PGPORT:-5432}")"
    if [ "$POSTGRES_DB" != postgres ]; then
        printf 'CREATE DATABASE :"name";\n' | run_sql --dbname postgres --set name="$POSTGRES_DB"
    fi
    shopt -s nullglob
    run_first_start_files
    pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

if [ "$#" = 0 ] || [ "${1:0:1}" = - ]; then
    set -- postgres "$@"
fi

if [ "$1" = postgres ]; then
    read_setting POSTGRES_PASSWORD
    read_setting POSTGRES_USER postgres
    read_setting POSTGRES_DB "$POSTGRES_USER"
    read_setting POSTGRES_INITDB_ARGS
    make_folders
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
    fi
    if [ -s "$PGDATA/PG_VERSION" ]; then
        printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
        make_cluster
        fill_cluster "$@"
    fi
    # The server and whatever it starts have no use for the password.
    unset POSTGRES_PASSWORD
fi

exec "$@"
