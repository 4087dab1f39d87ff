/*
 * hsmctl: what a person does to the token. Uses hsmd's configuration and its PKCS#11 layer; talks
 * to no hsmd. PINs come from files or are typed, never from an argument.
 */
#include "common/log.h"
#include "hsm/ctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const struct command {
    const char *name;
    bool (*run)(struct sg_ctl *ctl, struct sg_error *err);
    const char *help;
} commands[] = {
    {"token-init", sg_ctl_token_init,
     "--label L [--so-pin-file F]: make a token, set its user PIN"},
    {"kek-make", sg_ctl_kek_make, "make the next generation of key-encryption keys"},
    {"list", sg_ctl_list, "what is on the token"},
    {"check", sg_ctl_check, "module, token, PIN, keys, and a round trip with throw-away keys"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int usage(void)
{
    fputs("usage: hsmctl -c hsmd.conf COMMAND\n", stderr);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].help);
    return 2;
}

/* A line without echo, from the terminal itself: standard input may be something else. */
static bool pin_type(struct sg_secret *pin, const char *prompt, struct sg_error *err)
{
    struct termios was, quiet;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &was) != 0) {
        if (fd >= 0)
            close(fd);
        return sg_fail(err, SG_E_USAGE, "%s: no terminal to type it at, and no file given", prompt);
    }
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s: ", prompt);
    ssize_t n = read(fd, pin->data, sizeof pin->data);
    tcsetattr(fd, TCSAFLUSH, &was);
    dprintf(fd, "\n");
    close(fd);
    if (n > 0 && pin->data[n - 1] == '\n')
        n--;
    pin->len = n > 0 ? (size_t)n : 0;
    return pin->len > 0 || sg_fail(err, SG_E_USAGE, "%s: nothing was typed", prompt);
}

bool sg_ctl_pin(struct sg_secret *pin, const char *path, const char *prompt, struct sg_error *err)
{
    return path ? sg_secret_read(pin, path, err) : pin_type(pin, prompt, err);
}

static const struct command *arguments_read(int argc, char **argv, struct sg_ctl *ctl,
                                            const char **config_r)
{
    const struct command *command = NULL;
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "-c") == 0              ? config_r
                             : strcmp(argv[i], "--label") == 0       ? &ctl->label
                             : strcmp(argv[i], "--so-pin-file") == 0 ? &ctl->so_pin_file
                                                                     : NULL;
        if (value) {
            if (*value || i + 1 == argc)
                return NULL;
            *value = argv[++i];
            continue;
        }
        if (command)
            return NULL;
        for (size_t k = 0; k < COMMANDS; k++)
            if (strcmp(argv[i], commands[k].name) == 0)
                command = &commands[k];
        if (!command)
            return NULL;
    }
    return *config_r ? command : NULL;
}

int main(int argc, char **argv)
{
    struct sg_ctl ctl = {0};
    struct sg_error err = {0};
    const char *config = NULL;
    const struct command *command = arguments_read(argc, argv, &ctl, &config);
    if (!command)
        return usage();
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    umask(0077);
    sg_log_init("hsmctl", SG_LOG_ERROR);
    int status = 2;
    if (sg_config_load(config, sg_hsmd_options, sg_hsmd_option_count, &ctl.settings, &err) &&
        sg_hsmd_settings_check(&ctl.settings, &err)) {
        bool ok = sg_module_open(&ctl.module, ctl.settings.module, &err) &&
                  sg_module_start(&ctl.module, &err);
        if (ok) {
            ok = command->run(&ctl, &err);
            sg_module_stop(&ctl.module);
        }
        status = ok ? 0 : 1;
        sg_module_close(&ctl.module);
    }
    if (status != 0)
        fprintf(stderr, "hsmctl: %s: %s\n", command->name, err.detail);
    sg_config_free(sg_hsmd_options, sg_hsmd_option_count, &ctl.settings);
    return status;
}
