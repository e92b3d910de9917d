//! A pack of minor 0 in Rust, without its standard library: the tables of plugin.h written out by hand.
#![no_std]

use core::ffi::c_void;

#[repr(C)]
#[derive(Clone, Copy)]
struct Str {
    data: *const u8,
    len: u64,
}
const fn text(s: &'static str) -> Str {
    Str { data: s.as_ptr(), len: s.len() as u64 }
}

type Ctx = *mut c_void;
type Status = i32;
const ABSENT: Status = 2;
const E_INTERNAL: Status = -6;
const E_MODEL: Status = -8;
const T_INT: u32 = 2;
const T_STR: u32 = 4;
const T_VALUE: u32 = 5;

#[repr(C)]
#[derive(Clone, Copy)]
struct Arg {
    tag: u32,
    len: u32,
    u: u64, // of the union: an integer, a value, a pointer
}

#[repr(C)]
struct AttrInfo {
    struct_size: u64,
    id: u64,
    name: Str,
    kind: i32,
    is_default: u32,
    count: u64,
}

#[repr(C)]
struct Emit {
    struct_size: u64,
    target: Str,
    name_hint: Str,
    args: *const Arg,
    kwargs: *const c_void,
    n_args: u32,
    n_kwargs: u32,
    n_unpack: u32,
    reserved: u32,
}

type Unused = *const c_void;

#[repr(C)]
struct HostApi {
    struct_size: u64,
    abi_major: u32,
    abi_minor: u32,
    host_name: Str,
    host_version: Str,
    get_extension: Unused,
    log: Unused,
    set_error: unsafe extern "C" fn(Ctx, Status, *const u8, i32, Str) -> Status,
    scratch: Unused,
    node_info: Unused,
    input: unsafe extern "C" fn(Ctx, u32) -> u64,
    output_wanted: unsafe extern "C" fn(Ctx, u32) -> u32,
    attr: unsafe extern "C" fn(Ctx, Str, *mut AttrInfo) -> Status,
    attr_at: Unused,
    ignore_attr: unsafe extern "C" fn(Ctx, Str) -> Status,
    attr_arg: unsafe extern "C" fn(Ctx, u64, *mut Arg) -> Status,
    attr_tensor: Unused,
    attr_graph: Unused,
    attr_type: Unused,
    value_info: Unused,
    set_value_info: Unused,
    const_data: Unused,
    const_strings: Unused,
    int_list: Unused,
    dim: Unused,
    list_items: Unused,
    emit: unsafe extern "C" fn(Ctx, *const Emit, *mut u64) -> Status,
    constant: Unused,
    in_place: Unused,
    int_tensor: Unused,
    set_role: Unused,
    set_meta: unsafe extern "C" fn(Ctx, u64, Str, *const Arg) -> Status,
    annotate: unsafe extern "C" fn(Ctx, Str, Str) -> Status,
    set_output: unsafe extern "C" fn(Ctx, u32, u64) -> Status,
}

type Lower = unsafe extern "C" fn(&HostApi, Ctx, *const c_void) -> Status;

#[repr(C)]
struct Op {
    domain: Str,
    op_type: Str,
    since_opset: i32,
    until_opset: i32,
    flags: u32,
    reserved: u32,
    lower: Lower,
    op_user: *const c_void,
}

#[repr(C)]
pub struct Plugin {
    struct_size: u64,
    abi_major: u32,
    abi_minor: u32,
    abi_min_minor: u32,
    flags: u32,
    id: Str,
    version: Str,
    ops: *const Op,
    n_ops: u32,
    op_size: u32,
    init: Unused,
    deinit: Unused,
    get_extension: Unused,
}
unsafe impl Sync for Op {}
unsafe impl Sync for Plugin {}

fn done(status: Status) -> Result<(), Status> {
    match status {
        0 => Ok(()),
        s if s > 0 => Err(E_INTERNAL),
        s => Err(s),
    }
}

unsafe fn model_error(host: &HostApi, ctx: Ctx, what: &'static str) -> Status {
    (host.set_error)(ctx, E_MODEL, core::ptr::null(), 0, text(what))
}

unsafe fn call(host: &HostApi, ctx: Ctx, target: &'static str, args: &[Arg]) -> Result<u64, Status> {
    let emit = Emit {
        struct_size: core::mem::size_of::<Emit>() as u64,
        target: text(target),
        name_hint: text(""),
        args: args.as_ptr(),
        kwargs: core::ptr::null(),
        n_args: args.len() as u32,
        n_kwargs: 0,
        n_unpack: 0,
        reserved: 0,
    };
    let mut result = 0;
    done((host.emit)(ctx, &emit, &mut result))?;
    Ok(result)
}

unsafe fn scaled(host: &HostApi, ctx: Ctx) -> Result<(), Status> {
    done((host.ignore_attr)(ctx, text("comment")))?;
    let mut info = AttrInfo {
        struct_size: core::mem::size_of::<AttrInfo>() as u64,
        id: 0,
        name: text(""),
        kind: 0,
        is_default: 0,
        count: 0,
    };
    match (host.attr)(ctx, text("scale"), &mut info) {
        ABSENT => return Err(model_error(host, ctx, "attribute 'scale': expected a number, got none")),
        status => done(status)?,
    }
    let mut scale = Arg { tag: 0, len: 0, u: 0 };
    done((host.attr_arg)(ctx, info.id, &mut scale))?;
    let x = match (host.input)(ctx, 0) {
        0 => return Err(model_error(host, ctx, "input 0: expected a value, got none")),
        value => Arg { tag: T_VALUE, len: 0, u: value },
    };
    let y = call(host, ctx, "aten::mul.Scalar", &[x, scale])?;
    let kind = "scaled";
    let kind = Arg { tag: T_STR, len: kind.len() as u32, u: kind.as_ptr() as u64 };
    done((host.set_meta)(ctx, y, text("kind"), &kind))?;
    done((host.set_output)(ctx, 0, y))?;
    if (host.output_wanted)(ctx, 1) != 0 {
        let y = Arg { tag: T_VALUE, len: 0, u: y };
        let one = Arg { tag: T_INT, len: 0, u: 1 };
        done((host.set_output)(ctx, 1, call(host, ctx, "aten::add.Scalar", &[y, one])?))?;
    }
    done((host.annotate)(ctx, text("scale"), text("present")))?;
    done((host.annotate)(ctx, text("comment"), text("present")))
}

unsafe extern "C" fn lower_scaled(host: &HostApi, ctx: Ctx, _: *const c_void) -> Status {
    scaled(host, ctx).err().unwrap_or(0)
}

unsafe extern "C" fn lower_fails(host: &HostApi, ctx: Ctx, _: *const c_void) -> Status {
    model_error(host, ctx, "expected another operator, got this one")
}

const fn row(name: &'static str, lower: Lower) -> Op {
    Op {
        domain: text("frozen"),
        op_type: text(name),
        since_opset: 1,
        until_opset: 0,
        flags: 0,
        reserved: 0,
        lower,
        op_user: core::ptr::null(),
    }
}
static OPS: [Op; 2] = [row("Fails", lower_fails), row("Scaled", lower_scaled)];
static PLUGIN: Plugin = Plugin {
    struct_size: core::mem::size_of::<Plugin>() as u64,
    abi_major: 1,
    abi_minor: 0,
    abi_min_minor: 0,
    flags: 1,
    id: text("com.frozen.rust"),
    version: text("1.0.0"),
    ops: &OPS as *const Op,
    n_ops: 2,
    op_size: core::mem::size_of::<Op>() as u32,
    init: core::ptr::null(),
    deinit: core::ptr::null(),
    get_extension: core::ptr::null(),
};

#[no_mangle]
pub extern "C" fn onnx2fx_plugin_entry_1() -> *const Plugin {
    &PLUGIN
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
