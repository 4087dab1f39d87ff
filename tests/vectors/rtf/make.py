#!/usr/bin/python3
"""Makes the documents of this folder with programs that write RTF, and beside each the text that they
were given: running text, then notes.

    apt-get install python3-pygments highlight latex2rtf librtf-writer-perl
    python3 tests/vectors/rtf/make.py
"""
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent

CODE = '''def greeting(name):
    # [SECRET] Māori 😀 日本 {a}\\b
    return "[RESTRICTED]" + name
'''
ASCII_CODE = '''/* [SENSITIVE] {a}\\b */
int main(void) { return 0x5b; }
'''
LATEX = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\begin{document}
\section{A title}
Kia ora, [SE\textbf{CR}ET]\footnote{A note with [RESTRICTED].} and \emph{caf\'e}, 50\%.

\begin{tabular}{|l|l|}
\hline one & [SENSI\textit{TIVE}] \\ \hline
\end{tabular}
\begin{itemize}\item first \item second\end{itemize}
\end{document}
"""
LATEX_TEXT = """1  A title
Kia ora, [SECRET] and café, 50%.
one [SENSITIVE]
• first
• second
A note with [RESTRICTED].
"""
WRITER = r"""
my $r = RTF::Writer->new_to_file($ARGV[0]);
$r->prolog(title => "not shown", fonts => ["Arial", "Courier New"], colors => [undef, [255, 0, 0]]);
$r->paragraph("Kia ora, M\x{101}ori \x{65e5}: [SE", [\'\b', "CR"], "ET] {a}\\b");
$r->paragraph(\'\i', "caf\xe9 50% [RESTRICTED]");
$r->table(RTF::Writer::TableRowDecl->new(widths => [1500, 1900]), ["one", "two"], ["[SENSITIVE]", "four"]);
$r->close;
"""
WRITER_TEXT = r"""Kia ora, Māori 日: [SECRET] {a}\b
café 50% [RESTRICTED]
one two
[SENSITIVE] four
"""


def run(*command, **more):
    subprocess.run(command, check=True, capture_output=True, **more)


def made(name, text):
    (HERE / f"{name}.text").write_text(text, "utf-8")
    return HERE / f"{name}.rtf"


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "code.py").write_text(CODE, "utf-8")
        run("pygmentize", "-f", "rtf", "-o", made("pygments", CODE), folder / "code.py")
        (folder / "code.c").write_text(ASCII_CODE, "ascii")
        run("highlight", "--out-format=rtf", "-i", folder / "code.c", "-o", made("highlight", ASCII_CODE))
        (folder / "document.tex").write_text(LATEX, "utf-8")
        run("latex2rtf", "-o", made("latex2rtf", LATEX_TEXT), "document.tex", cwd=folder)
        run("perl", "-MRTF::Writer", "-e", WRITER, made("rtf-writer", WRITER_TEXT))


if __name__ == "__main__":
    main()
