// SPDX-License-Identifier: MIT
//! The igvm crate as a peer: reads files of Socle's, and writes files for Socle to read.
//!
//!     igvm-peer read FILE      the launch digest of its SEV-SNP platform, over the crate's parser
//!     igvm-peer write FOLDER   files of the crate's serializer; a line "NAME DIGEST" for each

use igvm::snp_defs::SevVmsa;
use igvm::{
    Arch, IgvmDirectiveHeader as Directive, IgvmFile, IgvmInitializationHeader as Initialization,
    IgvmPlatformHeader as Platform, IgvmRevision,
};
use igvm_defs::*;
use p384::ecdsa::{signature::Signer, Signature, SigningKey};
use sha2::{Digest, Sha384};
use std::collections::HashMap;
use std::error::Error;
use zerocopy::{FromZeros, IntoBytes};

const PAGE: usize = 4096;
const HELD: u64 = 0xfffffffff000;

const NORMAL: u8 = 1;
const VMSA: u8 = 2;
const UNMEASURED: u8 = 4;
const SECRETS: u8 = 5;
const CPUID: u8 = 6;

/// The chain of SNP_LAUNCH_UPDATE (firmware ABI, PAGE_INFO).
struct Launch([u8; 48]);

impl Launch {
    fn page(&mut self, kind: u8, gpa: u64, contents: Option<&[u8]>) {
        let mut info = [0u8; 0x70];
        info[..48].copy_from_slice(&self.0);
        if let Some(data) = contents {
            let mut page = [0u8; PAGE];
            page[..data.len()].copy_from_slice(data);
            info[48..96].copy_from_slice(&Sha384::digest(page));
        }
        info[96..98].copy_from_slice(&0x70u16.to_le_bytes());
        info[98] = kind;
        info[104..].copy_from_slice(&gpa.to_le_bytes());
        self.0 = Sha384::digest(info).into();
    }
}

fn snp_mask(file: &IgvmFile) -> Option<u32> {
    file.platforms().iter().find_map(|Platform::SupportedPlatform(p)| {
        (p.platform_type == IgvmPlatformType::SEV_SNP).then_some(p.compatibility_mask)
    })
}

fn digest(file: &IgvmFile) -> Result<String, Box<dyn Error>> {
    let mask = snp_mask(file).ok_or("no platform SEV-SNP")?;
    let mut launch = Launch([0; 48]);
    let mut areas = HashMap::new();

    for directive in file.directives() {
        if directive.compatibility_mask().is_some_and(|m| m & mask == 0) {
            continue;
        }
        match directive {
            Directive::PageData { gpa, flags, data_type, data, .. } => {
                if flags.shared() {
                    continue;
                }
                match *data_type {
                    IgvmPageDataType::SECRETS => launch.page(SECRETS, *gpa, None),
                    IgvmPageDataType::NORMAL if flags.unmeasured() => {
                        launch.page(UNMEASURED, *gpa, None)
                    }
                    IgvmPageDataType::NORMAL => launch.page(NORMAL, *gpa, Some(data)),
                    _ => launch.page(CPUID, *gpa, None),
                }
            }
            Directive::ParameterArea { number_of_bytes, parameter_area_index, .. } => {
                areas.insert(*parameter_area_index, *number_of_bytes);
            }
            Directive::ParameterInsert(insert) => {
                let size = areas[&insert.parameter_area_index];
                for at in (0..size).step_by(PAGE) {
                    launch.page(UNMEASURED, insert.gpa + at, None);
                }
            }
            Directive::SnpVpContext { gpa, vmsa, .. } => {
                launch.page(VMSA, *gpa, Some(vmsa.as_bytes()))
            }
            _ => (),
        }
    }
    Ok(launch.0.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn platform(mask: u32, kind: IgvmPlatformType) -> Platform {
    Platform::SupportedPlatform(IGVM_VHS_SUPPORTED_PLATFORM {
        compatibility_mask: mask,
        highest_vtl: 2,
        platform_type: kind,
        platform_version: 1,
        shared_gpa_boundary: 0,
    })
}

fn page(gpa: u64, mask: u32, fill: u8, flags: IgvmPageDataFlags, kind: IgvmPageDataType) -> Directive {
    let data = if fill == 0 { vec![] } else { vec![fill; PAGE] };

    Directive::PageData { gpa, compatibility_mask: mask, flags, data_type: kind, data }
}

fn vmsa(gpa: u64, mask: u32, index: u16) -> Directive {
    let mut vmsa = SevVmsa::new_box_zeroed().unwrap();

    vmsa.efer = 0x1000;
    vmsa.cr0 = 0x31;
    vmsa.rip = 0x1000;
    vmsa.sev_features = 1.into();
    Directive::SnpVpContext { gpa, compatibility_mask: mask, vp_index: index, vmsa }
}

fn parameter(index: u32, offset: u32) -> IGVM_VHS_PARAMETER {
    IGVM_VHS_PARAMETER { parameter_area_index: index, byte_offset: offset }
}

fn area(index: u32, pages: u64, data: &[u8]) -> Directive {
    Directive::ParameterArea {
        number_of_bytes: pages * PAGE as u64,
        parameter_area_index: index,
        initial_data: data.to_vec(),
    }
}

fn insert(gpa: u64, mask: u32, index: u32) -> Directive {
    Directive::ParameterInsert(IGVM_VHS_PARAMETER_INSERT {
        gpa,
        compatibility_mask: mask,
        parameter_area_index: index,
    })
}

/// Every parameter of the format, each at an offset of its own.
fn parameters(index: u32) -> Vec<Directive> {
    let make: [fn(IGVM_VHS_PARAMETER) -> Directive; 10] = [
        Directive::VpCount, Directive::EnvironmentInfo, Directive::Srat, Directive::Madt,
        Directive::Slit, Directive::Pptt, Directive::MmioRanges, Directive::MemoryMap,
        Directive::CommandLine, Directive::DeviceTree,
    ];

    make.iter().enumerate().map(|(i, new)| new(parameter(index, 512 * i as u32))).collect()
}

fn policy(mask: u32) -> Initialization {
    Initialization::GuestPolicy { policy: 0x30000, compatibility_mask: mask }
}

/// What a host of KVM takes: parameters, pages of each kind, the VMSA last.
fn usual(mask: u32) -> Vec<Directive> {
    let none = IgvmPageDataFlags::new();

    vec![
        Directive::RequiredMemory {
            gpa: 0x100000,
            compatibility_mask: mask,
            number_of_bytes: 0x100000,
            vtl2_protectable: false,
        },
        area(0, 1, &[]),
        Directive::VpCount(parameter(0, 0)),
        Directive::EnvironmentInfo(parameter(0, 4)),
        insert(0x110000, mask, 0),
        area(1, 2, &[0xaa; 2 * PAGE]),
        Directive::MemoryMap(parameter(1, 0)),
        insert(0x111000, mask, 1),
        page(0x1000, mask, 0x90, none, IgvmPageDataType::NORMAL),
        page(0x2000, mask, 0, none, IgvmPageDataType::NORMAL),
        page(0x3000, mask, 0, none, IgvmPageDataType::SECRETS),
        page(0x4000, mask, 0, none, IgvmPageDataType::CPUID_DATA),
        vmsa(HELD, mask, 0),
    ]
}

fn everything(mask: u32) -> Vec<Directive> {
    let none = IgvmPageDataFlags::new();
    let mut directives = vec![area(7, 2, &[])];

    directives.extend(parameters(7));
    directives.extend([
        insert(0x200000, mask, 7),
        page(0x1000, mask | 0x40, 0x11, none, IgvmPageDataType::NORMAL),
        page(0x2000, mask, 0x22, none.with_unmeasured(true), IgvmPageDataType::NORMAL),
        page(0x3000, mask, 0x33, none.with_shared(true), IgvmPageDataType::NORMAL),
        page(0x4000, mask, 0, none, IgvmPageDataType::CPUID_XF),
        page(0x5000, mask ^ 0x3, 0x55, none, IgvmPageDataType::NORMAL),
        Directive::ErrorRange { gpa: 0x6000, compatibility_mask: mask, size_bytes: 0x2000 },
        vmsa(0x9000, mask, 0),
        vmsa(0xa000, mask, 1),
    ]);
    directives
}

fn public_key(key: &SigningKey) -> IGVM_VHS_SNP_ID_BLOCK_PUBLIC_KEY {
    let point = key.verifying_key().to_encoded_point(false);
    let mut result = IGVM_VHS_SNP_ID_BLOCK_PUBLIC_KEY { curve: 2, reserved: 0, qx: [0; 72], qy: [0; 72] };

    for (to, from) in [(&mut result.qx, point.x()), (&mut result.qy, point.y())] {
        for (i, byte) in from.unwrap().iter().rev().enumerate() {
            to[i] = *byte;
        }
    }
    result
}

fn sign(key: &SigningKey, data: &[u8]) -> IGVM_VHS_SNP_ID_BLOCK_SIGNATURE {
    let signature: Signature = key.sign(data);
    let bytes = signature.to_bytes();
    let mut result = IGVM_VHS_SNP_ID_BLOCK_SIGNATURE { r_comp: [0; 72], s_comp: [0; 72] };

    for i in 0..48 {
        result.r_comp[i] = bytes[47 - i];
        result.s_comp[i] = bytes[95 - i];
    }
    result
}

/// An ID block for the launch of these directives, signed by two keys.
fn id_block(mask: u32, digest: &str) -> Directive {
    let id = SigningKey::from_slice(&[0x17; 48]).unwrap();
    let author = SigningKey::from_slice(&[0x29; 48]).unwrap();
    let mut ld = [0u8; 48];
    let mut signed = vec![];
    let mut key_bytes = vec![2u8, 0, 0, 0];

    for (i, byte) in ld.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digest[2 * i..2 * i + 2], 16).unwrap();
    }
    signed.extend(ld);
    signed.extend([0xfa; 16]);
    signed.extend([0x1d; 16]);
    signed.extend(1u32.to_le_bytes());
    signed.extend(7u32.to_le_bytes());
    signed.extend(0x30000u64.to_le_bytes());
    key_bytes.extend(public_key(&id).qx);
    key_bytes.extend(public_key(&id).qy);
    key_bytes.resize(0x404, 0);
    Directive::SnpIdBlock {
        compatibility_mask: mask,
        author_key_enabled: 1,
        reserved: [0; 3],
        ld,
        family_id: [0xfa; 16],
        image_id: [0x1d; 16],
        version: 1,
        guest_svn: 7,
        id_key_algorithm: 1,
        author_key_algorithm: 1,
        id_key_signature: Box::new(sign(&id, &signed)),
        id_public_key: Box::new(public_key(&id)),
        author_key_signature: Box::new(sign(&author, &key_bytes)),
        author_public_key: Box::new(public_key(&author)),
    }
}

fn write(folder: &str) -> Result<(), Box<dyn Error>> {
    let v2 = IgvmRevision::V2 { arch: Arch::X64, page_size: PAGE as u32 };
    let alone = || vec![platform(1, IgvmPlatformType::SEV_SNP)];
    let several = || {
        vec![
            platform(1, IgvmPlatformType::NATIVE),
            platform(2, IgvmPlatformType::SEV_SNP),
            platform(4, IgvmPlatformType::TDX),
        ]
    };
    let mut files = vec![
        ("usual", IgvmFile::new(IgvmRevision::V1, alone(), vec![policy(1)], usual(1))?),
        ("version-2", IgvmFile::new(v2, alone(), vec![policy(1)], usual(1))?),
        ("several", IgvmFile::new(v2, several(), vec![policy(2)], everything(2))?),
        ("everything", IgvmFile::new(IgvmRevision::V1, alone(), vec![policy(1)], everything(1))?),
    ];
    let mut signed = usual(1);

    signed.insert(0, id_block(1, &digest(&files[0].1)?));
    files.push(("signed", IgvmFile::new(IgvmRevision::V1, alone(), vec![policy(1)], signed)?));
    for (name, file) in files {
        let mut bytes = vec![];

        file.serialize(&mut bytes)?;
        std::fs::write(format!("{folder}/{name}.igvm"), bytes)?;
        println!("{name} {}", digest(&file)?);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();

    match words.get(1).map(String::as_str) {
        Some("read") => {
            let bytes = std::fs::read(&words[2])?;

            println!("{}", digest(&IgvmFile::new_from_binary(&bytes, None)?)?);
            Ok(())
        }
        Some("write") => write(&words[2]),
        _ => Err("igvm-peer read FILE | write FOLDER".into()),
    }
}
