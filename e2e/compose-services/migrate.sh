set -e
PGPASSWORD=$(cat /run/secrets/database-password) psql -v ON_ERROR_STOP=1 -qh database -U postgres postgres <<END
create table if not exists orders (id serial primary key, what text not null);
insert into orders (what) values ('migrated');
END
echo migrated
