# SPDX-License-Identifier: MIT
# For gdb on the emulated machine (docs/debugging.md). QEMU's stub takes the C-bit of page-table
# entries for a part of the address, so memory is read by physical addresses.
set pagination off

define physical
	maintenance packet Qqemu.PhyMemMode:1
end
document physical
physical: from now on x and print read physical memory. On the machine that is the guest-physical
address, and from 128 GiB on the hypervisor's own, the flash of the guest among it. Needs a connection.
end

define pa
	set $va = (unsigned long)$arg0
	set $at = (unsigned long)$arg1 & 0x7ffffffff000
	set $shift = 39
	while $shift >= 12
		set $entry = *(unsigned long *)($at + (($va >> $shift) & 0x1ff) * 8)
		if ($entry & 1) == 0
			printf "not mapped\n"
			loop_break
		end
		set $at = $entry & 0x7ffffffff000
		if $shift == 12 || ($shift < 39 && ($entry & 0x80))
			set $at = ($at & ~((1ul << $shift) - 1)) | ($va & ((1ul << $shift) - 1))
			printf "0x%lx, entry 0x%lx\n", $at, $entry
			loop_break
		end
		set $shift = $shift - 9
	end
end
document pa
pa VA CR3: walks the page tables at CR3 as the processor does, without the C-bit. $at is the physical
address that VA has there. After physical only.
end
