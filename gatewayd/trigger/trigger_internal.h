/* What the files of this folder share: one scan, its report, and the pieces of a message. */
#ifndef SG_TRIGGER_INTERNAL_H
#define SG_TRIGGER_INTERNAL_H

#include "trigger/entity.h"
#include "trigger/text.h"
#include "trigger/trigger.h"

/* One message's scan. Its walkers (there is one for each message in an encoding of its own) count
 * together. */
struct sg_scan {
    struct sg_arena *arena;
    const struct sg_trigger_options *options;
    struct sg_trigger_found *found;
    size_t parts;
    size_t depth;
    size_t ways, blinds; /* in which octets are being read at the same time */
    uint64_t text_bytes;
    bool limited; /* one of these was passed: where it was depends on how the octets came */
    bool failed;  /* our own trouble, in error: nothing is known */
    struct sg_error error;
};

void sg_report_words(struct sg_scan *scan, unsigned words, const char *where);
void sg_report_undecodable(struct sg_scan *scan, const char *where, const char *why);
/* The same of what is counted together, above. */
void sg_report_limit(struct sg_scan *scan, const char *where, const char *why);

/* Is there time for so many octets? What is beyond it is not read at all, and it is said so. */
bool sg_scan_goes_on(struct sg_scan *scan, size_t octets, const char *where);

void sg_report_failure(struct sg_scan *scan, const struct sg_error *error);

/* The text of an unstructured field with encoded words (RFC 2047) and 8-bit octets. */
void sg_field_scan(struct sg_scan *scan, struct sg_bytes value, const char *where);

/* Blind reading: octets of which nobody knows what they are, as they are, as quoted-printable, and
 * their lines of base64 as such; each as text and as HTML. */
struct sg_blind;
/* NULL, which the others take too, where too many are at it already (a fact that is reported). */
struct sg_blind *sg_blind_new(struct sg_scan *scan);
void sg_blind_push(struct sg_blind *b, const uint8_t *data, size_t len);
/* The words that were found (SG_TRIGGER_…); frees and nulls. */
unsigned sg_blind_end(struct sg_blind **b);

/* A body that holds text but is none: pushed, and at its end read and reported. The caller has seen
 * to it that it does not nest too deeply. */
enum sg_object_kind { SG_OBJECT_RTF, SG_OBJECT_TNEF, SG_OBJECT_CMS };
struct sg_object;
struct sg_object *sg_object_new(struct sg_scan *scan, enum sg_object_kind kind, const char *where);
void sg_object_push(struct sg_object *o, const uint8_t *data, size_t len);
void sg_object_end(struct sg_object **o);

/* The body of an entity that is no multipart. */
struct sg_leaf;
struct sg_leaf_context {
    bool body;     /* what one reads first: no attachment, whatever its disposition says */
    bool doubtful; /* never passed over as an attachment */
    bool blind;    /* not read in any other way */
    const char *where;
};
/* Is this a type whose body begins with the header of a message? */
bool sg_leaf_is_message(const char *type);
struct sg_leaf *sg_leaf_new(struct sg_scan *scan, const struct sg_entity *entity,
                            const struct sg_leaf_context *context);
void sg_leaf_push(struct sg_leaf *l, const uint8_t *data, size_t len);
/* From here on it is read blindly too; beginning with these octets (its header). */
void sg_leaf_doubt(struct sg_leaf *l, struct sg_bytes octets);
void sg_leaf_end(struct sg_leaf **l);

/* A message or MIME entity, octet by octet in pieces of any size. where is put before the places
 * that it reports ("" for none). */
struct sg_walk;
struct sg_walk *sg_walk_new(struct sg_scan *scan, const char *where);
/* With a header that was read already; else the header comes first in what is pushed. */
void sg_walk_header(struct sg_walk *w, const struct sg_header_block *block, bool doubtful);
void sg_walk_push(struct sg_walk *w, const uint8_t *data, size_t len);
void sg_walk_end(struct sg_walk **w);

#endif
