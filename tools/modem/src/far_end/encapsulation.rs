// SPDX-License-Identifier: GPL-2.0-only

//! How packets of a network protocol are put into those of AAL5.

/// A way to carry packets over AAL5: some bytes stand before each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// PPP frames, which have the channel to themselves (RFC 2364, section 4).
    PppVcMultiplexed,
    /// PPP frames behind an LLC header (RFC 2364, section 5).
    PppLlc,
    /// Ethernet frames without their checksum, which have the channel to themselves
    /// (RFC 2684, section 6.2).
    BridgedVcMultiplexed,
    /// Ethernet frames without their checksum, behind an LLC/SNAP header (RFC 2684,
    /// section 5.2).
    BridgedLlc,
    /// IPv4 packets, which have the channel to themselves (RFC 2684, section 6.1).
    RoutedVcMultiplexed,
    /// IPv4 packets behind an LLC/SNAP header (RFC 2684, section 5.1).
    RoutedLlc,
}

impl Encapsulation {
    /// What stands before a packet.
    pub fn header(self) -> &'static [u8] {
        match self {
            Self::PppVcMultiplexed | Self::RoutedVcMultiplexed => &[],
            // LLC for protocols with an NLPID, and PPP's.
            Self::PppLlc => &[0xfe, 0xfe, 0x03, 0xcf],
            // Padding alone.
            Self::BridgedVcMultiplexed => &[0, 0],
            // LLC for SNAP, the code of IEEE 802.1, Ethernet without checksum, padding.
            Self::BridgedLlc => &[0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2, 0x00, 0x07, 0, 0],
            // LLC for SNAP, the code for EtherTypes, IPv4's.
            Self::RoutedLlc => &[0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x08, 0x00],
        }
    }

    /// Puts `packet` into one for AAL5.
    pub fn wrap(self, packet: &[u8]) -> Vec<u8> {
        [self.header(), packet].concat()
    }

    /// What `pdu` carries; `None` if it is nothing of this kind.
    pub fn unwrap(self, pdu: &[u8]) -> Option<&[u8]> {
        let packet = pdu.strip_prefix(self.header())?;
        (!packet.is_empty()).then_some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_takes_its_own_only() {
        use Encapsulation::*;
        for kind in [PppLlc, BridgedVcMultiplexed, BridgedLlc, RoutedLlc] {
            let pdu = kind.wrap(b"packet");
            assert_eq!(kind.unwrap(&pdu), Some(&b"packet"[..]));
            assert_eq!(kind.unwrap(b"something else"), None);
            assert_eq!(kind.unwrap(kind.header()), None);
        }
        for kind in [PppVcMultiplexed, RoutedVcMultiplexed] {
            assert_eq!(kind.wrap(b"packet"), b"packet");
            assert_eq!(kind.unwrap(b""), None);
        }
    }
}
