/* What the header of a MIME entity says of its body, and where it says different things. */
#ifndef SG_TRIGGER_ENTITY_H
#define SG_TRIGGER_ENTITY_H

#include "mime/header.h"
#include "trigger/transfer.h"

#define SG_ENTITY_WAYS 3

struct sg_entity {
    /* The first is the usual one. More than one where fields are repeated: readers differ in which
     * they take. */
    struct sg_content_type types[SG_ENTITY_WAYS];
    size_t type_count;
    enum sg_transfer transfers[SG_ENTITY_WAYS];
    size_t transfer_count;
    bool attachment;  /* all Content-Disposition fields, at least one, say so */
    const char *name; /* of the file; "" for none */
    /* Why readers may not agree on this entity; NULL. Its octets are then read in every way. */
    const char *doubt;
    bool ambiguous; /* so they may, though nothing is wrong: read in every way as well */
};

/* default_type: where there is no Content-Type ("text/plain"; "message/rfc822" in a digest). */
void sg_entity_read(struct sg_arena *arena, const struct sg_header_block *block,
                    const char *default_type, struct sg_entity *entity_r);

/* The fields in octets that are a header with or without its empty line. A line that is no field is
 * passed over and makes this false. */
bool sg_entity_fields(struct sg_arena *arena, struct sg_bytes raw, struct sg_header_block *block_r);

#endif
