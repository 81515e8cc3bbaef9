# SPDX-License-Identifier: MIT
"""Faults by rule: what is changed in a C file, found in clang's syntax tree of it.

condition  each condition negated: of if, loops and ?:, each operand of && and ||, each comparison,
           and what a bool function returns
call       each call dropped: as a statement it goes; in an expression it becomes true (bool) or 0
mask       each mask dropped: the right side of & and |, and statements &= and |=
constant   each number, character and enumerator grows by one; true and false change places
"""

import dataclasses
import json
import re
import shutil
import subprocess

RULES = ("condition", "call", "mask", "constant")
COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
INTEGER = re.compile(r"^(const )?(u?int(8|16|32|64)_t|size_t|ssize_t|int|unsigned int|unsigned char|"
                     r"char|long|unsigned long|long long|unsigned long long|uintptr_t|enum \w+)$")
LOOPS = ("WhileStmt", "DoStmt", "ForStmt", "SwitchStmt", "IfStmt", "CaseStmt", "DefaultStmt",
         "LabelStmt", "CompoundStmt")
# What comes between an expression and the statement that it is.
WRAPPERS = ("ImplicitCastExpr", "ParenExpr", "ExprWithCleanups", "ConstantExpr")


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of one file. The id names it by what it changes, not by where that stands."""
    path: str
    function: str
    rule: str
    begin: int
    end: int
    old: str
    new: str
    line: int
    number: int

    @property
    def id(self):
        old = " ".join(self.old.split())
        return f"{self.path}:{self.function}:{self.rule}:{old}#{self.number}"

    def apply(self, source):
        return source[:self.begin] + self.new.encode() + source[self.end:]


def syntax_tree(path, root, arguments):
    clang = shutil.which("clang-14") or "clang"
    command = [clang, "-std=gnu17", "-ffreestanding" if path.startswith("monitor/") else
               "-D_GNU_SOURCE", f"-I{root}", *arguments, "-w", "-fsyntax-only", "-x", "c",
               "-Xclang", "-ast-dump=json", path]
    run = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode:
        raise ValueError(f"{path}: clang does not read it:\n{run.stderr.decode()}")
    return json.loads(run.stdout)


def closing(source, at):
    """The index behind the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(source)):
        depth += {0x28: 1, 0x29: -1}.get(source[i], 0)
        if depth == 0:
            return i + 1
    return None


class Finder:
    def __init__(self, path, source):
        self.path = path
        self.source = source
        self.found = {}
        self.function = ""
        self.returns_bool = False

    # Where something stands. A macro's use counts as the text of that use.
    def place(self, location):
        """(begin, end) of one token in this file, or None."""
        if "expansionLoc" in location:
            if location["expansionLoc"].get("isMacroArgExpansion") or \
                    location["spellingLoc"].get("isMacroArgExpansion"):
                inner = location["spellingLoc"]
            else:
                inner = location["expansionLoc"]
            begin = inner.get("offset")
            if begin is None:
                return None
            end = begin + inner.get("tokLen", 0)
            if inner is location["expansionLoc"] and self.source[end:end + 1] == b"(":
                end = closing(self.source, end)
            return (begin, end) if end else None
        if "offset" not in location or "includedFrom" in location:
            return None
        return location["offset"], location["offset"] + location["tokLen"]

    def span(self, node):
        where = node.get("range", {})
        begin, end = self.place(where.get("begin", {})), self.place(where.get("end", {}))
        if not begin or not end or begin[0] >= end[1] or end[1] > len(self.source):
            return None
        text = self.source[begin[0]:end[1]]
        if text.count(b"(") != text.count(b")") or text.count(b"{") != text.count(b"}"):
            return None
        return begin[0], end[1]

    def text(self, span):
        return self.source[span[0]:span[1]].decode()

    def add(self, rule, span, new):
        old = self.text(span)
        if new == old:
            return
        key = span[0], span[1], new
        self.found.setdefault(key, (rule, self.function, old))

    # The rules.
    def negate(self, node):
        span = self.span(node)
        if span:
            self.add("condition", span, f"(!({self.text(span)}))")

    def drop_statement(self, node, rule):
        span = self.span(node)
        if span:
            self.add(rule, span, "(void)0")

    def replace_call(self, node):
        span = self.span(node)
        kind = node.get("type", {}).get("qualType", "")
        if span and kind in ("bool", "_Bool"):
            self.add("call", span, "(true)")
        elif span and INTEGER.match(kind):
            self.add("call", span, "(0)")

    def drop_mask(self, node):
        left, right = node["inner"]
        whole, kept = self.span(node), self.span(left)
        if whole and kept and self.text(whole) != self.text(kept):
            self.add("mask", whole, f"({self.text(kept)})")
        # Of a | b the left one too, where it is no chain itself.
        inner = left
        while inner["kind"] in WRAPPERS and inner.get("inner"):
            inner = inner["inner"][0]
        kept = self.span(right)
        if node["opcode"] == "|" and whole and kept and inner.get("opcode") != "|":
            self.add("mask", whole, f"({self.text(kept)})")

    def off_by_one(self, node):
        span = self.span(node)
        if not span:
            return
        old = self.text(span)
        if old in ("true", "false"):
            self.add("constant", span, "false" if old == "true" else "true")
        elif old != "NULL" and not old.startswith("__ATOMIC") and re.fullmatch(r"[\w']+|'\\?.'", old):
            self.add("constant", span, f"({old} + 1)")

    # The walk.
    def walk(self, node, statement=False):
        kind = node.get("kind")
        inner = [child for child in node.get("inner", []) if isinstance(child, dict)]
        if kind in ("IfStmt", "WhileStmt", "ConditionalOperator") and inner:
            self.negate(inner[0])
        elif kind == "DoStmt" and len(inner) > 1:
            self.negate(inner[1])
        elif kind == "ForStmt" and len(inner) > 2 and inner[2].get("kind"):
            self.negate(inner[2])
        elif kind == "ReturnStmt" and self.returns_bool and inner:
            self.negate_value(inner[0])
        elif kind == "BinaryOperator":
            self.binary(node, inner)
        elif kind == "CompoundAssignOperator" and node.get("opcode") in ("&=", "|="):
            self.drop_statement(node, "mask")
        elif kind in ("CallExpr", "AtomicExpr"):
            if statement:
                self.drop_statement(node, "call")
            else:
                self.replace_call(node)
        elif kind == "GCCAsmStmt" and statement:
            self.drop_statement(node, "call")
        elif kind in ("IntegerLiteral", "CharacterLiteral"):
            self.off_by_one(node)
        elif kind == "DeclRefExpr" and \
                node.get("referencedDecl", {}).get("kind") == "EnumConstantDecl":
            self.off_by_one(node)
        for index, child in enumerate(inner):
            self.walk(child, self.is_statement(node, index, len(inner), statement))

    @staticmethod
    def is_statement(node, index, count, statement):
        """Is this child a statement, whose value nobody uses?"""
        kind = node.get("kind")
        if kind in WRAPPERS or (kind == "CStyleCastExpr" and node.get("castKind") == "ToVoid"):
            return statement
        if kind not in LOOPS:
            return False
        if kind == "CompoundStmt":
            return True
        if kind == "DoStmt":
            return index == 0
        if kind == "IfStmt":
            return index > 0
        return index == count - 1

    def negate_value(self, node):
        bare = node
        while bare["kind"] in WRAPPERS and bare.get("inner"):
            bare = bare["inner"][0]
        if bare["kind"] not in ("IntegerLiteral", "CXXBoolLiteralExpr"):
            self.negate(node)

    def binary(self, node, inner):
        opcode = node.get("opcode")
        if opcode in ("&&", "||"):
            for operand in inner:
                self.negate(operand)
        elif opcode in COMPARISONS:
            self.negate(node)
        elif opcode in ("&", "|") and len(inner) == 2:
            self.drop_mask(node)

    def functions(self, tree):
        for node in tree.get("inner", []):
            place = self.place(node.get("loc", {}))
            if node.get("kind") != "FunctionDecl" or not place:
                continue
            body = [child for child in node.get("inner", []) if child.get("kind") == "CompoundStmt"]
            span = self.span(node)
            if not body or not span or self.text(place) != node.get("name") or \
                    self.source[span[1] - 1:span[1]] != b"}":
                continue
            self.function = node["name"]
            self.returns_bool = node["type"]["qualType"].split("(")[0].strip() in ("bool", "_Bool")
            self.walk(body[0])


def mutants_of(path, root, arguments=()):
    """All mutants of one file, in the order of the text."""
    source = (root / path).read_bytes()
    finder = Finder(path, source)
    finder.functions(syntax_tree(path, root, arguments))
    numbers = {}
    result = []
    for (begin, end, new), (rule, function, old) in sorted(finder.found.items()):
        key = function, rule, " ".join(old.split())
        numbers[key] = numbers.get(key, 0) + 1
        result.append(Mutant(path, function, rule, begin, end, old, new,
                             source.count(b"\n", 0, begin) + 1, numbers[key]))
    return result
