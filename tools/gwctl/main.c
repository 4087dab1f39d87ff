#include "commands.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define OPTIONS(...)                                                                               \
    (const struct gw_option[])                                                                     \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define LIMIT                                                                                      \
    {                                                                                              \
        "--limit", "N", false                                                                      \
    }
#define WAIT                                                                                       \
    {"--wait", NULL, false},                                                                       \
    {                                                                                              \
        "--timeout", "SECONDS", false                                                              \
    }
#define CA_FILE                                                                                    \
    {                                                                                              \
        "--ca-file", "FILE", false                                                                 \
    }
#define LIST OPTIONS(LIMIT)

static const struct gw_command commands[] = {
    {"tenant create", "", OPTIONS({"--name", "NAME", true}), gw_tenant_create, "Makes a tenant."},
    {"tenant list", "", LIST, gw_tenant_list, "Lists tenants."},
    {"tenant show", "TENANT", NULL, gw_tenant_show, "Shows a tenant."},

    {"domain add", "TENANT NAME", OPTIONS({"--environment", "seemail|securemail", true}),
     gw_domain_add, "Adds a mail domain; you vouch that it is the tenant's."},
    {"domain list", "TENANT", LIST, gw_domain_list, "Lists domains."},
    {"domain show", "TENANT DOMAIN", NULL, gw_domain_show, "Shows a domain."},
    {"next-hop set", "TENANT DOMAIN",
     OPTIONS({"--host", "HOST", true}, {"--port", "PORT", true}, {"--protocol", "smtp|lmtp", true},
             {"--tls", "none|opportunistic|required|verified", true}, CA_FILE),
     gw_next_hop_set, "Sets where the domain's inbound mail is delivered."},
    {"next-hop show", "TENANT DOMAIN", NULL, gw_next_hop_show, "Shows it."},

    {"submitter add", "TENANT",
     OPTIONS({"--network", "CIDR", false}, {"--certificate-file", "FILE", false},
             {"--fingerprint", "SHA256", false}, {"--description", "TEXT", false}),
     gw_submitter_add, "Lets a network or the holder of a client certificate submit mail."},
    {"submitter list", "TENANT", LIST, gw_submitter_list, "Lists submitters."},
    {"submitter remove", "TENANT SUBMITTER", NULL, gw_submitter_remove, "Takes that back."},

    {"key create", "TENANT DOMAIN",
     OPTIONS({"--algorithm", "rsa-2048|rsa-3072|rsa-4096", true}, {"--kind", "token|wrapped", true},
             WAIT),
     gw_key_create, "Has a key pair made in the HSM."},
    {"key list", "TENANT DOMAIN", LIST, gw_key_list, "Lists keys."},
    {"key show", "TENANT DOMAIN KEY", NULL, gw_key_show, "Shows a key."},
    {"csr", "TENANT DOMAIN KEY", OPTIONS({"--out", "FILE", true}, {"--timeout", "SECONDS", false}),
     gw_csr, "Has a certificate request made, and writes it to a file (- is standard output)."},
    {"certificate install", "TENANT DOMAIN FILE", OPTIONS(WAIT), gw_certificate_install,
     "Installs a certificate: PEM, the leaf first, then its intermediates."},
    {"certificate list", "TENANT DOMAIN", LIST, gw_certificate_list, "Lists certificates."},
    {"certificate show", "TENANT DOMAIN CERTIFICATE", NULL, gw_certificate_show,
     "Shows a certificate."},

    {"anchor add", "FILE", NULL, gw_anchor_add, "Accredits a root certificate."},
    {"anchor list", "", LIST, gw_anchor_list, "Lists the accredited roots."},
    {"anchor remove", "ANCHOR", NULL, gw_anchor_remove, "Trusts a root no more."},
    {"directory add", "URL",
     OPTIONS({"--base-dn", "DN", false}, CA_FILE, {"--position", "N", false}), gw_directory_add,
     "Adds a directory in which certificates are found."},
    {"directory list", "", LIST, gw_directory_list, "Lists directories."},
    {"directory remove", "DIRECTORY", NULL, gw_directory_remove, "Asks a directory no more."},
    {"member add", "NAME", OPTIONS({"--environment", "seemail|securemail", true}), gw_member_add,
     "Adds a domain to which mail must be sealed."},
    {"member list", "", LIST, gw_member_list, "Lists member domains."},
    {"member remove", "MEMBER", NULL, gw_member_remove, "Takes a domain from the members."},

    {"held list", "TENANT", OPTIONS({"--state", "held|sent|deleted|expired", false}, LIMIT),
     gw_held_list, "Lists held mail."},
    {"held show", "TENANT HELD", NULL, gw_held_show, "Shows a held mail."},
    {"held release", "TENANT HELD", NULL, gw_held_release, "Tries a held mail now."},
    {"held delete", "TENANT HELD", NULL, gw_held_delete,
     "Gives a held mail up and destroys its content."},

    {"messages", "TENANT",
     OPTIONS({"--from", "TIME", false}, {"--to", "TIME", false}, {"--sender", "ADDRESS", false},
             {"--recipient", "ADDRESS", false}, {"--message-id", "ID", false},
             {"--queue-id", "ID", false}, {"--direction", "outbound|inbound", false}, LIMIT),
     gw_message_list, "Searches the retention log."},
    {"message show", "TENANT MESSAGE", NULL, gw_message_show, "Shows a message's record."},
    {"trace", "TENANT MESSAGE", NULL, gw_trace, "Tells what was done with a message."},

    {"job list", "TENANT", LIST, gw_job_list, "Lists jobs."},
    {"job show", "TENANT JOB", OPTIONS(WAIT), gw_job_show, "Shows a job."},
    {"token create", "",
     OPTIONS({"--name", "NAME", true}, {"--role", "ROLE", true}, {"--tenant", "TENANT", false},
             {"--days", "N", false}, {"--out", "FILE", false}),
     gw_token_create, "Makes a token; --out writes it to a new file that you alone can read."},
    {"token list", "", LIST, gw_token_list, "Lists tokens."},
    {"token revoke", "TOKEN", NULL, gw_token_revoke, "Revokes a token."},
    {"audit", "TENANT", LIST, gw_audit_list, "Lists the changes to what belongs to a tenant."},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int help(void)
{
    puts(
        "gwctl: the operator's command line of Sealgate\n\n"
        "SEALGATE_URL (or --url) is where the API is: https://…, http:// on this host, unix:PATH.\n"
        "SEALGATE_TOKEN_FILE (or --token-file) is a file with a token that nobody else can read.\n"
        "--json prints what the API said. A tenant and a domain may be given by name.\n"
        "Exit status: 0 done, 1 it failed, 2 it was called wrongly.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        gw_usage_line(stdout, &commands[i]);
    return 0;
}

static int finish(struct gw *gw, bool ok, const struct sg_error *err)
{
    gw_client_close(gw);
    sg_arena_free(&gw->arena);
    if (ok && fflush(stdout) == 0)
        return 0;
    fputs("gwctl: ", stderr);
    gw_print(stderr, ok ? "cannot write to standard output" : err->detail);
    fputc('\n', stderr);
    return !ok && err->code == SG_E_USAGE ? 2 : 1;
}

int main(int argc, char **argv)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0))
        return help();
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("gwctl %s\n", SG_VERSION) < 0;
    struct gw gw = {.arena = sg_arena_new()};
    struct sg_error err = {0};
    if (argc < 2) {
        sg_fail(&err, SG_E_USAGE, "which command? gwctl --help lists them");
        return finish(&gw, false, &err);
    }
    bool ok = gw_args_read(&gw, commands, COMMANDS, argc - 1, argv + 1, &err) &&
              gw_client_open(&gw, &err) && gw.command->run(&gw, &err);
    return finish(&gw, ok, &err);
}
