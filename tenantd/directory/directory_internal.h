/* What the files of this folder share. */
#ifndef SG_DIRECTORY_INTERNAL_H
#define SG_DIRECTORY_INTERNAL_H

#include "directory/directory.h"

#include "ldapclient/client.h"
#include "schema/directory_source.h"
#include "schema/member_list.h"

#define SG_DIRECTORY_WORDS 400

/* members.c: "*@domain" as lower-case domain; NULL for anything else. */
const char *sg_member_parse(struct sg_arena *arena, struct sg_bytes value);
/* Sorts, takes out what is there twice, counts what is malformed, makes the digest. */
void sg_members_read(struct sg_arena *arena, const struct sg_bytes *values, size_t count,
                     struct sg_member_reading *reading_r);
/* A version as it may be shown: "" where it is no short printable text. */
const char *sg_version_parse(struct sg_arena *arena, struct sg_bytes value);

/* verdict.c: both are numbers, and the one that was read is the lower: a replica that lags, or an
 * old list played back. Other versions (names, the entry's time, which is each server's own) have
 * no order. */
SG_MUST_USE bool sg_version_is_older(const char *read, const char *known);
/* "" may be done at once; else why it waits: "emptied", "shrunk", "approval". */
const char *sg_list_verdict(const struct sg_directory_options *options, size_t before, size_t after,
                            size_t added, size_t removed);

/* read.c: what the directories say */
struct sg_source_result {
    const struct sg_directory_source_due *due;
    bool tried, ok;
    char words[SG_DIRECTORY_WORDS];
};
struct sg_list_result {
    const struct sg_member_list *list;
    bool found;
    struct sg_member_reading reading;
    char words[SG_DIRECTORY_WORDS]; /* why it could not be read */
};
struct sg_directory_readings {
    struct sg_source_result *sources;
    size_t source_count, answered; /* of the sources, how many answered */
    struct sg_list_result *lists;
    size_t list_count;
};
#define SG_LIST_NOWHERE "no directory has this list"
void sg_directory_read(const struct sg_directory_options *options, struct sg_arena *arena,
                       sg_time now, struct sg_directory_readings *readings);

/* apply.c: brings a list into force, or has it wait. *state_r: what became of it, in a word. */
SG_MUST_USE bool sg_list_apply(struct sg_tx *tx, struct sg_arena *arena,
                               const struct sg_directory_options *options, const char *list_id,
                               const struct sg_member_reading *reading,
                               struct sg_member_diff *diff_r, const char **state_r,
                               struct sg_error *err);

#endif
