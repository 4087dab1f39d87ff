/*
 * Text of an RTF document (RTF 1.9.1, de-encapsulation of HTML by MS-OXRTFEX), for finding trigger
 * words (REQ-33): pushed in pieces of any size, in time linear to them and in bounded memory. What
 * is no RTF gives what it has: nothing fails. Only ever used to read.
 *
 * The text comes in three views, each a stream of UTF-8 of its own, so that nothing that is shown
 * elsewhere on the page stands between two letters of a word:
 *
 *   TEXT   what a reader of the RTF sees in the running text
 *   ASIDE  what stands elsewhere or is hidden: notes, headers, text boxes, comments, hidden and
 *          struck-out text
 *   HTML   where the RTF carries HTML (\fromhtml), that HTML as far as it is kept
 *
 * A change of format gives no text, so a word in several runs comes out whole; paragraphs, lines
 * and rows end with a newline, cells with a tab. Small letters shown as capitals (\caps, \scaps)
 * come as capitals.
 */
#ifndef SG_RTF_RTF_H
#define SG_RTF_RTF_H

#include "common/bytes.h"

enum sg_rtf_view { SG_RTF_TEXT, SG_RTF_ASIDE, SG_RTF_HTML };
#define SG_RTF_VIEWS 3

struct sg_rtf;

/* Takes the next piece of a view; pieces end between characters. */
typedef void (*sg_rtf_sink)(void *ctx, enum sg_rtf_view view, struct sg_bytes utf8);

struct sg_rtf_result {
    bool truncated; /* it ends within a group or within data that it announced */
    bool malformed; /* it does not begin as RTF does, or has more ends of groups than groups */
    bool lost;      /* text may be missing: groups beyond max_depth, or bytes of a code page that
                       is not known. Bytes that their code page has no character for are U+FFFD. */
};

/* Groups within groups at most max_depth; deeper ones are read in the format around them. */
struct sg_rtf *sg_rtf_new(size_t max_depth, sg_rtf_sink sink, void *ctx);
void sg_rtf_push(struct sg_rtf *rtf, struct sg_bytes data);
/* No more will come: gives the rest to the sink. */
void sg_rtf_end(struct sg_rtf *rtf, struct sg_rtf_result *result_r);
void sg_rtf_free(struct sg_rtf **rtf);

#endif
