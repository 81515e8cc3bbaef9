/* SPDX-License-Identifier: MIT */
/* x87 and SSE registers with known content. */
	.altmacro
	.macro fill first
	.set n, 0
	.rept 16
	load_xmm %n, %(\first + n)
	.set n, n + 1
	.endr
	.endm

	.macro load_xmm number, value
	movabsq $\value * 0x0101010101010101, %rax
	movq %rax, %xmm\number
	punpcklqdq %xmm\number, %xmm\number
	.endm

	.text
	.globl fpu_fill_low, fpu_fill_high, fpu_save
fpu_fill_low:
	fill 0x10
	fninit
	fld1
	ldmxcsr mxcsr_low(%rip)
	ret

fpu_fill_high:
	fill 0x80
	fninit
	fld1
	fldpi
	ldmxcsr mxcsr_high(%rip)
	ret

fpu_save:
	fxsave64 (%rdi)
	ret

	.section .rodata
mxcsr_low:
	.long 0x1fc0		/* denormals are zeros */
mxcsr_high:
	.long 0x3f80		/* rounds down */

	.section .note.GNU-stack, "", @progbits
