#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle igvm`: what it builds, shows and measures is what a second reader finds.

    igvm_digest_test.py SOCLE FOLDER
"""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from igvm_digest import PAGE, NORMAL, VMSA, SECRETS, CPUID, digest, pages  # noqa: E402


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


def elf(bits, base, entry, segments):
    """An executable of segments (address, flags, bytes, memory size), each on pages of its own."""
    body, table = b'', b''
    for address, flags, content, memory in segments:
        offset = PAGE + len(body)
        if bits == 64:
            table += struct.pack('<IIQQQQQQ', 1, flags, offset, address, address - base,
                                 len(content), memory, PAGE)
        else:
            table += struct.pack('<IIIIIIII', 1, offset, address, address - base, len(content),
                                 memory, flags, PAGE)
        body += content + bytes(-len(content) % PAGE)
    ident = b'\x7fELF' + bytes([bits // 32, 1, 1]) + bytes(9)
    if bits == 64:
        header = ident + struct.pack('<HHIQQQIHHHHHH', 2, 62, 1, entry, 64, 0, 0, 64, 56,
                                     len(segments), 0, 0, 0)
    else:
        header = ident + struct.pack('<HHIIIIIHHHHHH', 2, 3, 1, entry, 52, 0, 0, 52, 32,
                                     len(segments), 0, 0, 0)
    return (header + table).ljust(PAGE, b'\0') + body


def bzimage():
    """A kernel as boot.rst describes it, whose protected-mode part is a pattern."""
    setup = bytearray(5 * 512)
    setup[0x1f1] = 4
    struct.pack_into('<H', setup, 0x1fe, 0xaa55)
    setup[0x200:0x202] = b'\xeb\x6a'
    struct.pack_into('<4sH', setup, 0x202, b'HdrS', 0x20f)
    setup[0x211] = 1
    struct.pack_into('<I', setup, 0x22c, 0x7fffffff)
    struct.pack_into('<IBBH', setup, 0x230, 0x200000, 1, 21, 1)
    struct.pack_into('<I', setup, 0x238, 2047)
    struct.pack_into('<Q', setup, 0x258, 0x1000000)
    struct.pack_into('<I', setup, 0x260, 0x400000)
    return bytes(setup) + bytes(i * 31 % 251 for i in range(300000))


def memory_of(data):
    """What the launch leaves in memory, page by page."""
    return {gpa: contents for _, gpa, contents in pages(data)}


def fetch(memory, at, size):
    out = b''
    while len(out) < size:
        where = at + len(out)
        out += memory[where & -PAGE][where % PAGE:]
    return out[:size]


class Suite:
    def __init__(self, socle, folder):
        self.socle = socle
        self.folder = folder
        os.makedirs(folder + '/archive/services', exist_ok=True)
        image = 0xffffffff80000000
        write(folder + '/monitor', elf(64, image, image, [
            (image, 5, b'\xf4' * 100, 100), (image + PAGE, 4, b'constant', 8),
            (image + 2 * PAGE, 6, b'data' * 2000, 20000)]))
        write(folder + '/bare', elf(32, 0, 0x110000, [
            (0x110000, 5, b'\xf4' * 5000, 5000), (0x120010, 6, b'x', 9000)]))
        write(folder + '/archive/services.conf',
              b'service vtpm\nexec services/vtpm\nmemory 1M\nbudget 1s\n')
        write(folder + '/archive/services/vtpm', bytes(range(256)) * 37)
        write(folder + '/kernel', bzimage())
        write(folder + '/initrd', bytes(i * 7 % 256 for i in range(70000)))

    def run(self, *arguments):
        return subprocess.run([self.socle, 'igvm', *arguments], capture_output=True, text=True)

    def path(self, name):
        return self.folder + '/' + name

    def build(self, name, *arguments):
        result = self.run('build', '-o', self.path(name), *arguments)
        assert result.returncode == 0, result.stderr
        data = read(self.path(name))
        measured = self.run('measure', self.path(name))
        assert measured.returncode == 0, measured.stderr
        assert measured.stdout == digest(data) + '\n', name
        return data

    def socle_arguments(self):
        return ['--monitor', self.path('monitor'), '--archive', self.path('archive'), '--kernel',
                self.path('kernel'), '--initrd', self.path('initrd'), '--append', 'quiet',
                '--memory', '128M', '--cpus', '2']

    def refused(self, *arguments):
        """One line on stderr, nothing on stdout, status 1."""
        result = self.run(*arguments)
        assert result.returncode == 1, arguments
        assert result.stdout == '', arguments
        assert result.stderr.startswith('socle: ') and result.stderr.count('\n') == 1, \
            (arguments, result.stderr)
        return result.stderr


def test_images(s):
    """Every kind of image measures as the second implementation says."""
    plain = ['--plain-linux', '--kernel', s.path('kernel'), '--memory', '64M', '--c-bit', '51']
    seen = {digest(s.build('socle.igvm', *s.socle_arguments())),
            digest(s.build('bare.igvm', '--bare', s.path('bare'), '--vmsa', '0x200000')),
            digest(s.build('pages.igvm', '--bare', s.path('bare'), '--vmsa', '0x200000',
                           '--cpuid-page', '0x201000', '--secrets-page', '0x202000')),
            digest(s.build('plain.igvm', *plain))}
    assert len(seen) == 4
    bare = s.run('measure', '-b', s.path('socle.igvm'))
    assert bare.stdout == digest(read(s.path('socle.igvm')))


def test_reproducible(s):
    """The same inputs give the same bytes; another order of launch only another digest."""
    first = s.build('a.igvm', *s.socle_arguments())
    assert s.build('b.igvm', *s.socle_arguments()) == first
    variants = [s.build('c.igvm', *s.socle_arguments(), *more) for more in
                (['--reverse-directives'], ['--shuffle', '1'], ['--shuffle', '2'])]
    assert s.build('d.igvm', *s.socle_arguments(), '--shuffle', '1') == variants[1]
    assert len({digest(data) for data in [first, *variants]}) == 4
    for data in variants:
        assert memory_of(data) == memory_of(first)


def test_relocation(s):
    """With another base, the guest's own pages are the same but for the map of its memory."""
    plan = json.loads(s.run('show', '--json', s.path('a.igvm')).stdout)
    moved = s.build('moved.igvm', *s.socle_arguments(), '--base', '0x4000000')
    new = json.loads(s.run('show', '--json', s.path('moved.igvm')).stdout)
    assert plan['parameters']['region'] == {'gpa': '0x7000000', 'size': 16 << 20}
    assert new['parameters']['region'] == {'gpa': '0x4000000', 'size': 16 << 20}
    assert new['measurement'] == digest(moved) != plan['measurement']
    assert new['parameters']['guest']['rip'] == plan['parameters']['guest']['rip']


def test_lower_calls(s):
    """What less privileged levels of the guest may call is measured, in the block, and shown."""
    seen = set()
    for granted in ([], ['attest'], ['vtpm'], ['attest', 'vtpm']):
        options = [f'--lower-calls={name}' for name in granted]
        data = s.build('lower.igvm', *s.socle_arguments(), *options)
        shown = json.loads(s.run('show', '--json', s.path('lower.igvm')).stdout)
        text = s.run('show', s.path('lower.igvm')).stdout
        assert shown['parameters']['lower_calls'] == granted
        assert [line.split()[-1] for line in text.splitlines() if 'lower ones call' in line] == granted
        block = next(page for page in memory_of(data).values() if page.startswith(b'SOCLPRAM'))
        assert struct.unpack_from('<I', block, 8) == (4,)
        assert struct.unpack_from('<I', block, 0x5ac) == (('attest' in granted) + 2 * ('vtpm' in granted),)
        seen.add(digest(data))
    assert len(seen) == 4


def test_boot_data(s):
    """What a kernel finds when it is entered (boot.rst, zero-page.rst)."""
    memory = memory_of(read(s.path('a.igvm')))
    guest = json.loads(s.run('show', '--json', s.path('a.igvm')).stdout)['parameters']['guest']
    zero_page = fetch(memory, int(guest['rsi'], 0), PAGE)
    entry = int(guest['rip'], 0)
    kernel, initrd = read(s.path('kernel')), read(s.path('initrd'))
    assert fetch(memory, entry - 0x200, len(kernel) - 2560) == kernel[2560:]
    image, size, = struct.unpack_from('<II', zero_page, 0x218)
    assert fetch(memory, image, size) == initrd
    cmdline, = struct.unpack_from('<I', zero_page, 0x228)
    assert fetch(memory, cmdline, 6) == b'quiet\0'
    rsdp, = struct.unpack_from('<Q', zero_page, 0x70)
    assert fetch(memory, rsdp, 8) == b'RSD PTR '
    setup_data, = struct.unpack_from('<Q', zero_page, 0x250)
    following, kind, length, blob = struct.unpack('<QIII', fetch(memory, setup_data, 20))
    assert (following, kind) == (0, 7) and setup_data + 16 + length >= blob + 40 > setup_data + 60
    magic, _, _, secrets, size_1, _, cpuid, size_2, _ = \
        struct.unpack('<IHHQIIQII', fetch(memory, blob, 40))
    assert (magic, size_1, size_2) == (0x45444d41, PAGE, PAGE)
    assert (secrets, cpuid) == (int(guest['secrets_page'], 0), int(guest['cpuid_page'], 0))
    check_e820(zero_page, [secrets, cpuid, int(guest['caa'], 0)], rsdp)
    check_identity(memory, int(guest['cr3'], 0), 0)


def check_e820(zero_page, reserved, rsdp):
    entries = [struct.unpack_from('<QQI', zero_page, 0x2d0 + 20 * i) for i in range(zero_page[0x1e8])]
    assert all(a[0] + a[1] <= b[0] for a, b in zip(entries, entries[1:]))

    def kind_of(address):
        return [kind for start, size, kind in entries if start <= address < start + size]
    for page in reserved + [0xa0000, 0xff000, 0x7000000, 0x7fff000]:
        assert kind_of(page) == [2], hex(page)
    assert kind_of(rsdp) == [3]
    for page in (0, 0x9f000, 0x100000, 0x1000000, 0x6fff000):
        assert kind_of(page) == [1], hex(page)
    assert kind_of(128 << 20) == []


def check_identity(memory, root, c_bit):
    """4 GiB map to themselves, with the C-bit in every entry."""
    for address in range(0, 1 << 32, 0x200000):
        table = root
        for shift in (39, 30, 21):
            entry, = struct.unpack('<Q', fetch(memory, table + (address >> shift & 511) * 8, 8))
            assert entry & 1 and entry & c_bit == c_bit
            table = entry & 0x000ffffffffff000 & ~c_bit
        assert entry & 0x80 and table == address


def test_plain_linux(s):
    """All RAM is launched, once, and the VMSA enters the kernel in 64-bit mode."""
    data = read(s.path('plain.igvm'))
    launched = [(page_type, gpa) for page_type, gpa, _ in pages(data)]
    ram = {gpa for gpa in range(0, 64 << 20, PAGE) if not 0xa0000 <= gpa < 0xc0000}
    assert {gpa for _, gpa in launched} == ram and len(launched) == len(ram)
    assert sorted(t for t, _ in launched if t != NORMAL) == [VMSA, SECRETS, CPUID]
    vmsa = [contents for page_type, _, contents in pages(data) if page_type == VMSA][0]
    cr4, cr3, cr0 = struct.unpack_from('<QQQ', vmsa, 0x148)
    efer, = struct.unpack_from('<Q', vmsa, 0xd0)
    rip, = struct.unpack_from('<Q', vmsa, 0x178)
    assert cr0 & 0x80000001 == 0x80000001 and cr4 == 0x20 and efer & 0x1500 == 0x1500
    assert rip == 0x1000200
    assert struct.unpack_from('<Q', vmsa, 0x3b0) == (1,)
    check_identity(memory_of(data), cr3, 1 << 51)


def test_refusals(s):
    """Wrong commands and broken files: one line, no output, status 1."""
    out = ['build', '-o', s.path('no.igvm')]
    good = read(s.path('a.igvm'))
    for size in (0, 1, 23, 24, 100, len(good) - 1):
        write(s.path('cut'), good[:size])
        for command in ('show', 'measure'):
            s.refused(command, s.path('cut'))
    flipped = bytearray(good)
    flipped[200] ^= 1
    write(s.path('flipped'), flipped)
    assert 'checksum' in s.refused('measure', s.path('flipped'))
    s.refused('show', '--json', s.path('flipped'))
    assert s.path('none') in s.refused('measure', s.path('none'))
    s.refused('measure')
    s.refused('nonsense')
    s.refused('measure', '--nonsense', s.path('a.igvm'))
    s.refused('show', '-x', s.path('a.igvm'))
    s.refused(*out, '--nonsense')
    s.refused(*out, '--memory')
    s.refused('show', s.folder)
    s.refused(*out)
    s.refused(*out, '--monitor', s.path('monitor'), '--bare', s.path('bare'))
    s.refused(*out, '--bare', s.path('bare'))
    s.refused(*out, '--bare', s.path('bare'), '--vmsa', '0x110000')
    s.refused(*out, '--bare', s.path('initrd'), '--vmsa', '0x200000')
    s.refused(*out, '--bare', s.path('bare'), '--vmsa', '0x200000', '--guest-bare', s.path('bare'))
    s.refused(*out, '--monitor', s.path('monitor'), '--archive', s.path('archive'), '--guest-bare',
              s.path('initrd'))
    assert 'exclude' in s.refused(*out, *s.socle_arguments(), '--guest-bare', s.path('bare'))
    s.refused(*out, *s.socle_arguments(), '--memory', '33M')
    s.refused(*out, *s.socle_arguments(), '--memory', '-1')
    s.refused(*out, *s.socle_arguments(), '--base', '0x7001000')
    s.refused(*out, *s.socle_arguments(), '--lower-calls', 'apic')
    s.refused(*out, *s.socle_arguments(), '--lower-calls', 'attest,vtpm')
    s.refused(*out, '--bare', s.path('bare'), '--vmsa', '0x200000', '--lower-calls', 'vtpm')
    s.refused(*out, *s.socle_arguments(), '--cpus', '65')
    s.refused(*out, *s.socle_arguments(), '--kernel', s.path('initrd'))
    s.refused(*out, *s.socle_arguments(), '--append', 'x' * 3000)
    s.refused(*out, *s.socle_arguments(), '--file', 'services.conf=' + s.path('initrd'))
    write(s.path('large'), bytes(15 << 20))
    assert 'region' in s.refused(*out, *s.socle_arguments(), '--file', 'x=' + s.path('large'),
                                 '--file', 'y=' + s.path('initrd'), '--file',
                                 'z=' + s.path('large'))
    assert not os.path.exists(s.path('no.igvm'))


def main():
    suite = Suite(sys.argv[1], sys.argv[2])
    for test in (test_images, test_reproducible, test_relocation, test_lower_calls, test_boot_data,
                 test_plain_linux, test_refusals):
        test(suite)
        print('ok', test.__name__)


if __name__ == '__main__':
    main()
