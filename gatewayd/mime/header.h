/*
 * Headers of a message or MIME entity (RFC 5322, 2045), found without changing a byte. Walks once,
 * with limits; a header block ends at the first empty line or at the end of the data.
 */
#ifndef SG_MIME_HEADER_H
#define SG_MIME_HEADER_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "spool/spool.h"

struct sg_header {
    struct sg_bytes name;  /* without the colon, as written */
    struct sg_bytes value; /* raw, folded as written, without the final line end */
    struct sg_bytes whole; /* the field with its line end */
};

struct sg_header_block {
    struct sg_bytes raw; /* the fields, without the empty line */
    struct sg_header *fields;
    size_t count;
    uint64_t body_offset; /* of the first octet behind the empty line (where there is none: end) */
};

struct sg_header_limits {
    size_t max_bytes;
    size_t max_fields;
};

/*
 * Reads the header block at offset of the spool, up to end. SG_E_LIMIT where it is larger,
 * SG_E_MIME for a line that is no field (the first such line ends the block when it is not the
 * first line: bodies without an empty line before them happen).
 */
SG_MUST_USE bool sg_header_read(struct sg_arena *arena, const struct sg_spool *spool,
                                uint64_t offset, uint64_t end,
                                const struct sg_header_limits *limits,
                                struct sg_header_block *block_r, struct sg_error *err);

/* The n-th (from 0) field of that name, case-insensitively; NULL where there is none. */
const struct sg_header *sg_header_find(const struct sg_header_block *block, const char *name,
                                       size_t n);
/* The next field of that name behind `after`, one of the block's (NULL: the first one); NULL where
 * there is none. Who goes through all of them does so by this. */
const struct sg_header *sg_header_next(const struct sg_header_block *block, const char *name,
                                       const struct sg_header *after);
size_t sg_header_count(const struct sg_header_block *block, const char *name);
/* The value unfolded (line breaks dropped, outer white space trimmed), NUL-terminated. */
char *sg_header_unfold(struct sg_arena *arena, const struct sg_header *field);

/* An unfolded value as people read it: encoded words (RFC 2047) become UTF-8, what is nothing in
 * their charset U+FFFD. To be shown, and never to decide by. */
char *sg_header_decode(struct sg_arena *arena, const char *value);

/* RFC 2045 §5.1 with RFC 2231: "type/subtype; name=value". Names and type in lower case. */
struct sg_parameter {
    const char *name, *value;
};
struct sg_content_type {
    const char *type; /* "multipart/signed"; "text/plain" where the field is absent or unreadable */
    struct sg_parameter *parameters;
    size_t parameter_count;
    bool ambiguous;  /* a parameter twice, in pieces or encoded, a comment, what is no parameter:
                        readers differ in what they make of it */
    bool unreadable; /* the field is there, and no type can be made out of it */
};
void sg_content_type_parse(struct sg_arena *arena, const struct sg_header *field,
                           struct sg_content_type *type_r);
const char *sg_content_type_parameter(const struct sg_content_type *type, const char *name);

/*
 * The mailboxes of a From, Sender or To field (RFC 5322 §3.4): groups are opened, comments and
 * display names dropped, domains lower-cased. SG_E_MALFORMED for what does not parse: a From that
 * cannot be read strictly is nobody's. local and domain are NUL-free. local has one form: without
 * quotes where it needs none ("joe"@x.test is joe@x.test), else as one quoted string; so has
 * domain: ASCII (idna/idna.h), and what has no such form does not parse.
 */
struct sg_mailbox {
    const char *local, *domain, *address; /* address = local "@" domain */
};
SG_MUST_USE bool sg_mailbox_list_parse(struct sg_arena *arena, const struct sg_header *field,
                                       struct sg_mailbox **list_r, size_t *count_r,
                                       struct sg_error *err);
/*
 * Of a From field that does not parse: every domain, in its one form, that any reader may take for
 * that of an address in it. false where that cannot be said: there is no address, or one without a
 * domain, or something behind an '@' that is none, or there are more than `most`. The list has
 * what was found in any case.
 */
SG_MUST_USE bool sg_mailbox_domains_claimed(struct sg_arena *arena, const struct sg_header *field,
                                            size_t most, const char *const **list_r,
                                            size_t *count_r);

/* When the sender claims to have written it: a Date field (RFC 5322 §3.3, zones and years of §4.3).
 */
SG_MUST_USE bool sg_date_parse(const struct sg_header *field, sg_time *time_r);

#endif
