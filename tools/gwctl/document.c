/* The table of commands as a manual page (mdoc), as a completion for a shell, as JSON. */
#include "gwctl.h"

#include <string.h>

static void mdoc_text(const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
            fputs("\\&", stdout);
        if (*p == '\\')
            fputs("\\e", stdout);
        else
            putchar(*p);
    }
}

static void command_mdoc(const struct gw_command *c)
{
    printf(".It Nm Cm %s", c->words);
    for (const char *p = c->arguments; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        printf(" Ar %.*s", (int)n, p);
        p += n;
    }
    for (const struct gw_option *o = c->options; o && o->name; o++) {
        printf("%s \\-%s%s%s", o->required ? "\n.Fl" : "\n.Op Fl", o->name + 2,
               o->value ? " Ar " : "", o->value ? o->value : "");
    }
    fputs("\n.Pp\n", stdout);
    mdoc_text(c->help);
    putchar('\n');
}

void gw_manual(const struct gw_command *commands, size_t count)
{
    puts(
        ".Dd $Mdocdate$\n.Dt GWCTL 1\n.Os\n.Sh NAME\n.Nm gwctl\n"
        ".Nd the operator's command line of Sealgate\n.Sh SYNOPSIS\n.Nm\n.Ar command\n"
        ".Op Ar argument ...\n.Op Fl \\-option Ar value\n.Sh DESCRIPTION\n"
        "Works over the REST API alone. A tenant and a domain may be given by name.\n"
        "What changes something carries an idempotency key, and is sent again when no answer\n"
        "came: it is made once.\n.Pp\nOptions of every command:\n.Bl -tag -width Ds\n"
        ".It Fl \\-json\nprints what the API said.\n"
        ".It Fl \\-url Ar URL\nwhere the API is: https://..., unix:PATH, or http:// on this host.\n"
        ".It Fl \\-token-file Ar FILE\na file with a token that nobody else can read.\n"
        ".It Fl \\-idempotency-key Ar KEY\nthe key of the change, to repeat it from "
        "elsewhere.\n.El\n"
        ".Sh COMMANDS\n.Bl -tag -width Ds");
    for (size_t i = 0; i < count; i++)
        command_mdoc(&commands[i]);
    puts(".El\n.Sh ENVIRONMENT\n.Bl -tag -width SEALGATE_TOKEN_FILE\n.It Ev SEALGATE_URL\n"
         "as\n.Fl \\-url .\n.It Ev SEALGATE_TOKEN_FILE\nas\n.Fl \\-token-file .\n.El\n"
         ".Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\nDone.\n.It 1\nIt failed; a line on standard "
         "error says why, with the field at\nfault and the request's id.\n.It 2\nIt was called "
         "wrongly.\n.El");
}

/* Every word that may stand first, then the words of each command and its options. */
static void bash(const struct gw_command *commands, size_t count)
{
    puts("# bash completion of gwctl: source it, or put it into /etc/bash_completion.d\n"
         "_gwctl() {\n    local line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" "
         "cur=${COMP_WORDS[COMP_CWORD]}\n"
         "    local all=\"\" c w o\n    while IFS='|' read -r c o; do\n"
         "        case \"$cur\" in\n"
         "        -*) case \"$line \" in \"$c \"*) all=\"$o\";; esac;;\n"
         "        *)  if [ -z \"$line\" ]; then all+=\" ${c%% *}\"\n"
         "            else case \"$c\" in \"$line \"*) w=${c#\"$line \"}; all+=\" ${w%% *}\";; "
         "esac; fi;;\n"
         "        esac\n    done <<'END'");
    for (size_t i = 0; i < count; i++) {
        printf("%s|--json --url --token-file --idempotency-key", commands[i].words);
        for (const struct gw_option *o = commands[i].options; o && o->name; o++)
            printf(" %s", o->name);
        putchar('\n');
    }
    puts("END\n    COMPREPLY=($(compgen -W \"$all\" -- \"$cur\"))\n}\ncomplete -o default -F "
         "_gwctl gwctl");
}

bool gw_completion(const struct gw_command *commands, size_t count, const char *shell,
                   struct sg_error *err)
{
    if (strcmp(shell, "zsh") == 0)
        puts("autoload -U +X bashcompinit && bashcompinit");
    else if (strcmp(shell, "bash") != 0)
        return sg_fail(err, SG_E_USAGE, "completion for bash or zsh");
    bash(commands, count);
    return true;
}

void gw_commands_dump(const struct gw_command *commands, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *options = json_array();
        for (const struct gw_option *o = commands[i].options; o && o->name; o++)
            json_array_append_new(options, json_string(o->name));
        if (commands[i].method)
            json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:o}", "words", commands[i].words,
                                                 "method", commands[i].method, "path",
                                                 commands[i].path, "options", options));
        for (size_t k = 0; !commands[i].method && k < gw_own_count; k++)
            if (strcmp(gw_own[k].words, commands[i].words) == 0)
                json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:O}", "words",
                                                     gw_own[k].words, "method", gw_own[k].method,
                                                     "path", gw_own[k].path, "options", options));
        if (!commands[i].method)
            json_decref(options);
    }
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(all);
}
