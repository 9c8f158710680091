#!/bin/bash
# Login roles of the services; what each may do is granted by the migration. Run once, when the data folder is empty.
set -euo pipefail
for service in api policy orchestrator state secrets audit; do
  psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=login="xcf_${service}_login" --set=password="$POSTGRES_PASSWORD" \
    <<<'CREATE ROLE :"login" LOGIN NOINHERIT PASSWORD :'"'password'"';'
done
