//! One block each of eight BLAKE3 messages at once, in the eight lanes of AVX2's registers. The crate `blake3` does this
//! for the chunks of one long message; ours are many short ones, each waiting for the one before it in its own chain.
//!
//! BLAKE3 is specified in its paper, sections 2.1 and 2.2; `tests` hold every result against the crate's own.
use core::arch::x86_64::*;

/// Messages at once.
pub(super) const LANES: usize = 8;

/// The block is the first one of its message.
pub(super) const START: u32 = 1;
/// It is the last one, of a message of one chunk: what comes out is the digest.
pub(super) const END: u32 = 1 << 1 | 1 << 3;

const IV: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];

/// Which word of the block goes where, round by round.
const ORDERS: [[usize; 16]; 7] = {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut order = [[0; 16]; 7];
    let mut place = 0;
    while place < 112 {
        let (round, word) = (place / 16, place % 16);
        order[round][word] = if round == 0 {
            word
        } else {
            order[round - 1][PERMUTATION[word]]
        };
        place += 1;
    }
    order
};

/// What goes in, lane by lane.
pub(super) struct Blocks<'a> {
    /// 64 bytes of each message; behind its end, zeros.
    pub(super) bytes: [&'a [u8; 64]; LANES],
    /// How many of them are of the message.
    pub(super) lengths: [u32; LANES],
    /// [`START`] and [`END`].
    pub(super) flags: [u32; LANES],
}

/// Chaining values: word by word, and in each the lanes.
pub(super) type Values = [[u32; LANES]; 8];

/// Whether this machine has the instructions.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Takes one block of each message in. Only where [`available`].
#[allow(unsafe_code)]
pub(super) fn compress(values: &mut Values, blocks: &Blocks<'_>) {
    debug_assert!(available());
    // Callers ask `available` before.
    unsafe { compress_avx2(values, blocks) }
}

#[target_feature(enable = "avx2")]
#[inline]
#[allow(unsafe_code)]
fn load(words: &[u32; LANES]) -> __m256i {
    // 32 bytes, at any alignment.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

/// The words of half of each block, word by word.
#[target_feature(enable = "avx2")]
#[inline]
#[allow(unsafe_code)]
fn half(blocks: &[&[u8; 64]; LANES], second: bool) -> [__m256i; 8] {
    let row = |lane: usize| {
        let (halves, _) = blocks[lane].as_chunks::<32>();
        // 32 bytes, at any alignment; x86 is little-endian, as BLAKE3 is.
        unsafe { _mm256_loadu_si256(halves[usize::from(second)].as_ptr().cast()) }
    };
    let rows: [__m256i; LANES] = core::array::from_fn(row);
    let pairs: [__m256i; LANES] = core::array::from_fn(|at| match at % 2 {
        0 => _mm256_unpacklo_epi32(rows[at], rows[at + 1]),
        _ => _mm256_unpackhi_epi32(rows[at - 1], rows[at]),
    });
    // Lanes 0 to 3 and 4 to 7: in each of `quads`, two words of four lanes.
    let quad = |from: usize, word: usize| match word {
        0 => _mm256_unpacklo_epi64(pairs[from], pairs[from + 2]),
        1 => _mm256_unpackhi_epi64(pairs[from], pairs[from + 2]),
        2 => _mm256_unpacklo_epi64(pairs[from + 1], pairs[from + 3]),
        _ => _mm256_unpackhi_epi64(pairs[from + 1], pairs[from + 3]),
    };
    core::array::from_fn(|word| {
        let (low, high) = (quad(0, word % 4), quad(4, word % 4));
        match word < 4 {
            true => _mm256_permute2x128_si256::<0x20>(low, high),
            false => _mm256_permute2x128_si256::<0x31>(low, high),
        }
    })
}

/// Which bytes go where to turn each word right by 16 and by 8 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn turn_16(words: __m256i) -> __m256i {
    let by = _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2);
    _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(by))
}

#[target_feature(enable = "avx2")]
#[inline]
fn turn_8(words: __m256i) -> __m256i {
    let by = _mm_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1);
    _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(by))
}

#[target_feature(enable = "avx2")]
#[inline]
fn turn<const RIGHT: i32, const LEFT: i32>(words: __m256i) -> __m256i {
    _mm256_or_si256(
        _mm256_srli_epi32::<RIGHT>(words),
        _mm256_slli_epi32::<LEFT>(words),
    )
}

/// The quarter-round `G`. No function, like the round: it must be part of its caller, so that the state stays in registers.
macro_rules! mix {
    ($state:ident, [$a:literal, $b:literal, $c:literal, $d:literal], $x:expr, $y:expr) => {
        $state[$a] = _mm256_add_epi32(_mm256_add_epi32($state[$a], $state[$b]), $x);
        $state[$d] = turn_16(_mm256_xor_si256($state[$d], $state[$a]));
        $state[$c] = _mm256_add_epi32($state[$c], $state[$d]);
        $state[$b] = turn::<12, 20>(_mm256_xor_si256($state[$b], $state[$c]));
        $state[$a] = _mm256_add_epi32(_mm256_add_epi32($state[$a], $state[$b]), $y);
        $state[$d] = turn_8(_mm256_xor_si256($state[$d], $state[$a]));
        $state[$c] = _mm256_add_epi32($state[$c], $state[$d]);
        $state[$b] = turn::<7, 25>(_mm256_xor_si256($state[$b], $state[$c]));
    };
}

/// A round: columns, then diagonals.
macro_rules! round {
    ($state:ident, $words:ident, $order:expr) => {{
        const ORDER: [usize; 16] = $order;
        mix!($state, [0, 4, 8, 12], $words[ORDER[0]], $words[ORDER[1]]);
        mix!($state, [1, 5, 9, 13], $words[ORDER[2]], $words[ORDER[3]]);
        mix!($state, [2, 6, 10, 14], $words[ORDER[4]], $words[ORDER[5]]);
        mix!($state, [3, 7, 11, 15], $words[ORDER[6]], $words[ORDER[7]]);
        mix!($state, [0, 5, 10, 15], $words[ORDER[8]], $words[ORDER[9]]);
        mix!($state, [1, 6, 11, 12], $words[ORDER[10]], $words[ORDER[11]]);
        mix!($state, [2, 7, 8, 13], $words[ORDER[12]], $words[ORDER[13]]);
        mix!($state, [3, 4, 9, 14], $words[ORDER[14]], $words[ORDER[15]]);
    }};
}

#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn compress_avx2(values: &mut Values, blocks: &Blocks<'_>) {
    let [low, high] = [half(&blocks.bytes, false), half(&blocks.bytes, true)];
    let words: [__m256i; 16] = core::array::from_fn(|word| if word < 8 { low[word] } else { high[word - 8] });
    let iv: [__m256i; 8] = core::array::from_fn(|word| _mm256_set1_epi32(IV[word].cast_signed()));
    let (flags, start) = (load(&blocks.flags), _mm256_set1_epi32(START.cast_signed()));
    let starts = _mm256_cmpeq_epi32(_mm256_and_si256(flags, start), start);
    let mut state = [_mm256_setzero_si256(); 16];
    for word in 0..8 {
        state[word] = _mm256_blendv_epi8(load(&values[word]), iv[word], starts);
    }
    // Words 12 and 13 count the chunks before: none.
    state[8..12].copy_from_slice(&iv[..4]);
    (state[14], state[15]) = (load(&blocks.lengths), flags);
    round!(state, words, ORDERS[0]);
    round!(state, words, ORDERS[1]);
    round!(state, words, ORDERS[2]);
    round!(state, words, ORDERS[3]);
    round!(state, words, ORDERS[4]);
    round!(state, words, ORDERS[5]);
    round!(state, words, ORDERS[6]);
    for word in 0..8 {
        let out = _mm256_xor_si256(state[word], state[word + 8]);
        // 32 bytes, at any alignment.
        unsafe { _mm256_storeu_si256(values[word].as_mut_ptr().cast(), out) }
    }
}
