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
    {"--limit", "N", false},                                                                       \
    {                                                                                              \
        "--all", NULL, false                                                                       \
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

#define OWN NULL, NULL, NULL, NULL, false, false

/* Those that are more than an operation of the API; all others are in gw_operations. */
static const struct gw_command commands[] = {
    {"domain add", "TENANT NAME",
     OPTIONS({"--environment", "seemail|securemail", true}, {"--prove", NULL, false}),
     gw_domain_add,
     "Adds a mail domain. You vouch that it is the tenant's; with --prove its owner proves it in "
     "DNS.",
     OWN},
    {"next-hop set", "TENANT DOMAIN",
     OPTIONS({"--host", "HOST", true}, {"--port", "PORT", true}, {"--protocol", "smtp|lmtp", true},
             {"--tls", "none|opportunistic|required|verified", true}, CA_FILE),
     gw_next_hop_set, "Sets where the domain's inbound mail is delivered.", OWN},
    {"submitter add", "TENANT",
     OPTIONS({"--network", "CIDR", false}, {"--certificate-file", "FILE", false},
             {"--fingerprint", "SHA256", false}, {"--description", "TEXT", false}),
     gw_submitter_add, "Lets a network or the holder of a client certificate submit mail.", OWN},
    {"submitter remove", "TENANT SUBMITTER", NULL, gw_submitter_remove, "Takes that back.", OWN},
    {"key create", "TENANT DOMAIN",
     OPTIONS({"--algorithm", "rsa-2048|rsa-3072|rsa-4096|ec-p256|ec-p384", true},
             {"--kind", "token|wrapped", true}, WAIT),
     gw_key_create, "Has a key pair made in the HSM.", OWN},
    {"csr", "TENANT DOMAIN KEY", OPTIONS({"--out", "FILE", true}, {"--timeout", "SECONDS", false}),
     gw_csr, "Has a certificate request made, and writes it to a file (- is standard output).",
     OWN},
    {"certificate install", "TENANT DOMAIN FILE", OPTIONS(WAIT), gw_certificate_install,
     "Installs a certificate: PEM, the leaf first, then its intermediates.", OWN},
    {"anchor add", "FILE", NULL, gw_anchor_add, "Accredits a root certificate.", OWN},
    {"anchor remove", "ANCHOR", NULL, gw_anchor_remove, "Trusts a root no more.", OWN},
    {"directory add", "URL",
     OPTIONS({"--base-dn", "DN", false}, CA_FILE, {"--position", "N", false},
             {"--anchor-id", "ANCHOR", false}, {"--filter", "FILTER", false},
             {"--attribute", "NAME", false}, {"--bind-dn", "DN", false},
             {"--credential", "NAME", false}),
     gw_directory_add, "Adds a directory in which certificates are found.", OWN},
    {"directory remove", "DIRECTORY", NULL, gw_directory_remove, "Asks a directory no more.", OWN},
    {"member add", "NAME", OPTIONS({"--environment", "seemail|securemail", true}), gw_member_add,
     "Adds a domain to which mail must be sealed.", OWN},
    {"member remove", "MEMBER", NULL, gw_member_remove, "Takes a domain from the members.", OWN},
    {"held list", "TENANT",
     OPTIONS({"--state", "held|sent|deleted|expired", false}, {"--domain-id", "ID", false},
             {"--recipient-domain", "NAME", false}, {"--sender", "ADDRESS", false},
             {"--reason", "CODE", false}, {"--waiting-for", "administrator|next_try", false},
             LIMIT),
     gw_held_list, "Lists held mail.", OWN},
    {"held delete", "TENANT HELD", NULL, gw_held_delete,
     "Gives a held mail up and destroys its content.", OWN},
    {"messages", "TENANT",
     OPTIONS({"--from", "TIME", false}, {"--to", "TIME", false}, {"--sender", "ADDRESS", false},
             {"--recipient", "ADDRESS", false}, {"--message-id", "ID", false},
             {"--queue-id", "ID", false}, {"--direction", "outbound|inbound", false},
             {"--domain", "NAME", false}, {"--sender-domain", "NAME", false},
             {"--recipient-domain", "NAME", false}, {"--client", "ADDRESS", false},
             {"--outcome", "OUTCOME", false}, {"--verdict", "VERDICT", false},
             {"--code", "CODE", false}, LIMIT),
     gw_message_list, "Searches the retention log.", OWN},
    {"trace", "TENANT MESSAGE", NULL, gw_trace, "Tells what was done with a message.", OWN},
    {"explain", "TENANT MESSAGE", NULL, gw_explain,
     "Tells what was done with a message and why: facts, rules, certificates, a step a paragraph.",
     OWN},
    {"simulate", "TENANT FILE",
     OPTIONS({"--direction", "outbound|inbound", true}, {"--sender", "ADDRESS", true},
             {"--recipients", "ADDRESS[,ADDRESS...]", true}),
     gw_simulate,
     "Tells what would become of the mail in a file, and why. Nothing is sent and nothing stored.",
     OWN},
    {"egress postfix", "", OPTIONS({"--out", "FILE", false}), gw_egress_postfix,
     "Writes the networks that secure mail may be sent into as Postfix's table.", OWN},
    {"egress nftables", "", OPTIONS({"--out", "FILE", false}), gw_egress_nftables,
     "Writes them as the elements of the sets of nftables.", OWN},
    {"job show", "TENANT JOB", OPTIONS(WAIT), gw_job_show, "Shows a job.", OWN},
    {"token create", "",
     OPTIONS({"--name", "NAME", true}, {"--role", "ROLE", true}, {"--tenant", "TENANT", false},
             {"--days", "N", false}, {"--out", "FILE", false}),
     gw_token_create, "Makes a token; --out writes it to a new file that you alone can read.", OWN},
    {"token revoke", "TOKEN", NULL, gw_token_revoke, "Revokes a token.", OWN},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int by_words(const void *a, const void *b)
{
    const struct gw_command *x = a, *y = b;
    return strcmp(x->words, y->words);
}

/* Both tables in one, sorted. */
static const struct gw_command *all_commands(struct sg_arena *arena, size_t *count_r)
{
    *count_r = COMMANDS + gw_operation_count;
    struct gw_command *all = SG_ARENA_ARRAY(arena, struct gw_command, *count_r);
    memcpy(all, commands, sizeof commands);
    memcpy(all + COMMANDS, gw_operations, gw_operation_count * sizeof *all);
    qsort(all, *count_r, sizeof *all, by_words);
    return all;
}

/* All commands, or those that begin with the word. */
static void help(const struct gw_command *all, size_t count, const char *word)
{
    puts(
        "gwctl: the operator's command line of Sealgate\n\n"
        "SEALGATE_URL (or --url) is where the API is: https://…, http:// on this host, unix:PATH.\n"
        "SEALGATE_TOKEN_FILE (or --token-file) is a file with a token that nobody else can read.\n"
        "--json prints what the API said. A tenant and a domain may be given by name.\n"
        "A change carries an --idempotency-key (made up where none is given) and is tried again "
        "when no\n"
        "answer came. gwctl completion bash|zsh, gwctl --manual, gwctl --commands: for shell, man, "
        "program.\n"
        "Exit status: 0 done, 1 it failed, 2 it was called wrongly.\n");
    for (size_t i = 0; i < count; i++)
        if (!word || strncmp(all[i].words, word, strlen(word)) == 0)
            gw_usage_line(stdout, &all[i]);
}

static bool help_wanted(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

/* gwctl WORD [WORD …] --help: of that command, else of those that begin with its first word. */
static void help_for(const struct gw_command *all, size_t count, char **argv)
{
    char words[80] = "";
    size_t n = 0;
    for (char **word = argv; *word && **word != '-'; word++) {
        int more = snprintf(words + n, sizeof words - n, "%s%s", n ? " " : "", *word);
        if (more < 0 || (size_t)more >= sizeof words - n)
            break;
        n += (size_t)more;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(all[i].words, words) == 0) {
                gw_usage_line(stdout, &all[i]);
                return;
            }
        }
    }
    help(all, count, **argv == '-' ? NULL : *argv);
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
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("gwctl %s\n", SG_VERSION) < 0;
    struct gw gw = {.arena = sg_arena_new()};
    struct sg_error err = {0};
    size_t count;
    const struct gw_command *all = all_commands(gw.arena, &count);
    if (argc < 2) {
        sg_fail(&err, SG_E_USAGE, "which command? gwctl --help lists them");
        return finish(&gw, false, &err);
    }
    bool ok = true;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        help(all, count, argc > 2 ? argv[2] : NULL);
    else if (help_wanted(argc, argv))
        help_for(all, count, argv + 1);
    else if (strcmp(argv[1], "--manual") == 0)
        gw_manual(all, count);
    else if (strcmp(argv[1], "--commands") == 0)
        gw_commands_dump(all, count);
    else if (strcmp(argv[1], "completion") == 0)
        ok = gw_completion(all, count, argc > 2 ? argv[2] : "", &err);
    else
        ok = gw_args_read(&gw, all, count, argc - 1, argv + 1, &err) && gw_client_open(&gw, &err) &&
             (gw.command->run ? gw.command->run : gw_operation)(&gw, &err);
    return finish(&gw, ok, &err);
}
