/* tenantd's commands beside the daemon. Each returns the exit status. */
#ifndef SG_TENANTD_COMMANDS_H
#define SG_TENANTD_COMMANDS_H

/* tenantd migrate -c FILE: brings the schema to this program's state. */
int command_migrate(int argc, char **argv);
/* tenantd token -c FILE --role R [--tenant ID] --name N [--days N] --out FILE: a token for the
 * API, written to FILE (mode 0600), which must not exist. */
int command_token(int argc, char **argv);

#endif
