set -e
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
cd ~
[ -d db ] || { initdb -N -D db --pwfile=/run/secrets/database-password -A scram-sha-256 --auth-local=trust >/dev/null; echo "host all all all scram-sha-256" >>db/pg_hba.conf; }
exec postgres -D db -k /tmp -c listen_addresses='*'
