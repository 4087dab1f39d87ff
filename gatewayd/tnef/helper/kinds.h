/* What the parts of a TNEF stream are, for the helper and for those who ask it. */
#ifndef SG_TNEFREADER_KINDS_H
#define SG_TNEFREADER_KINDS_H

enum sg_tnef_kind {
    SG_TNEF_SUBJECT,
    SG_TNEF_TEXT,
    SG_TNEF_HTML,
    SG_TNEF_RTF,       /* decompressed */
    SG_TNEF_ATTACHMENT /* a file; attached messages are read and come as parts of their own */
};
#define SG_TNEF_KINDS 5

#endif
