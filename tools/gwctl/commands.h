/* The functions of the commands; a file of commands/ for each kind of thing. */
#ifndef SG_GWCTL_COMMANDS_H
#define SG_GWCTL_COMMANDS_H

#include "gwctl.h"

#define GW_COMMAND(name) bool name(struct gw *gw, struct sg_error *err)

GW_COMMAND(gw_domain_add);
GW_COMMAND(gw_next_hop_set);

GW_COMMAND(gw_submitter_add);
GW_COMMAND(gw_submitter_remove);

GW_COMMAND(gw_key_create);
GW_COMMAND(gw_csr);

GW_COMMAND(gw_certificate_install);

GW_COMMAND(gw_anchor_add);
GW_COMMAND(gw_anchor_remove);
GW_COMMAND(gw_directory_add);
GW_COMMAND(gw_directory_remove);
GW_COMMAND(gw_member_add);
GW_COMMAND(gw_member_remove);

GW_COMMAND(gw_held_list);
GW_COMMAND(gw_held_delete);

GW_COMMAND(gw_message_list);
GW_COMMAND(gw_trace);
GW_COMMAND(gw_explain);
GW_COMMAND(gw_simulate);

GW_COMMAND(gw_egress_postfix);
GW_COMMAND(gw_egress_nftables);

GW_COMMAND(gw_job_show);
GW_COMMAND(gw_token_create);
GW_COMMAND(gw_token_revoke);

/* A step of a trace as a paragraph. */
void gw_step_explain(struct gw *gw, const json_t *step);

/* DELETE of path, and a line that says so. */
SG_MUST_USE bool gw_remove(struct gw *gw, const char *path, const char *what, struct sg_error *err);
/* GET of path, shown; path NULL passes an error on. */
SG_MUST_USE bool gw_get(struct gw *gw, const char *path, struct sg_error *err);
/* path + "/" + the argument, an id of that kind; NULL after an error. */
SG_MUST_USE const char *gw_below(struct gw *gw, const char *path, size_t argument,
                                 const char *prefix, struct sg_error *err);
/* Sets a member of a body where the option was given; its file's content. */
void gw_set(const struct gw *gw, json_t *body, const char *member, const char *option);
SG_MUST_USE bool gw_set_file(struct gw *gw, json_t *body, const char *member, const char *option,
                             struct sg_error *err);

#endif
