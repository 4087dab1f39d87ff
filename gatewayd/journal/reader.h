/*
 * Reading segments of a journal: records, and the originals behind them. Needs no running journal;
 * the archive is read through this too. The format stands in README.md.
 *
 * Errors: SG_E_MALFORMED (not a segment), SG_E_NOT_FOUND (no record there), SG_E_CRYPTO (a seal
 * that does not fit: another key, or altered), SG_E_IO.
 */
#ifndef SG_JOURNAL_READER_H
#define SG_JOURNAL_READER_H

#include "journal/journal.h"

#define SG_JOURNAL_NODE_MAX 48 /* characters of a node's name: letters, digits, '.', '-', '_' */
#define SG_JOURNAL_BINDING  96

/* The head of a segment; views live as long as the call they are handed to. */
struct sg_journal_segment {
    const char *node;
    uint64_t number;
    sg_time created;
    struct sg_bytes wrapped; /* its data key, opened by hsmd with binding */
    char binding[SG_JOURNAL_BINDING];
};

struct sg_journal_entry {
    struct sg_journal_record record; /* payload is empty where the segment's key is not known */
    uint64_t offset, length;         /* of the whole record in the segment */
    bool has_original;
    char archive_key_id[32]; /* of the original's data key, "" where there is none */
};

struct sg_journal_reader {
    void *ctx;
    /* Called first. May set key_r; left empty, the payloads stay sealed. May be NULL. */
    bool (*segment)(void *ctx, const struct sg_journal_segment *segment, struct sg_secret *key_r,
                    struct sg_error *err);
    /* Every record in order; false ends the reading with its error. */
    bool (*record)(void *ctx, const struct sg_journal_entry *entry, struct sg_error *err);
    /* Bytes that are no record, or a record whose seal does not fit. May be NULL. */
    void (*damaged)(void *ctx, uint64_t offset, uint64_t length, const char *what);
    bool payloads_alone; /* originals are jumped over: a record counts also where one is damaged */
};

/* Reads the segment at path from the record at offset on (0: from the first). */
SG_MUST_USE bool sg_journal_read_segment(const char *path, uint64_t offset,
                                         const struct sg_journal_reader *reader,
                                         struct sg_error *err);
/*
 * Writes the original of the record at offset to sink, in bounded memory. Only after true is it
 * known to be whole: what the sink got before a false is to be thrown away.
 */
SG_MUST_USE bool sg_journal_read_original(const char *path, uint64_t offset,
                                          const struct sg_secret *archive_key,
                                          const struct sg_sink *sink, struct sg_error *err);

/* The parts of an archive_ref, "NODE/SEGMENT@OFFSET". */
SG_MUST_USE bool sg_journal_ref_parse(const char *ref, char node_r[SG_JOURNAL_NODE_MAX + 1],
                                      uint64_t *number_r, uint64_t *offset_r, struct sg_error *err);
/* The file name of a segment, "0000000000000001.sgj". */
#define SG_JOURNAL_FILE 32
void sg_journal_file_name(uint64_t number, char out[SG_JOURNAL_FILE]);

#endif
