/** A host port held by a bound socket, so that no other process takes it while the packet filter sends its traffic to a container. */

import { addressBytes, familyOf } from "./inet.ts";
import { address, check, libc } from "./libc.ts";

const [afInet, afInet6, sockStream, sockDgram, sockCloexec] = [2, 10, 1, 2, 0x80000];
const [solSocket, soReuseAddr, soRcvBuf] = [1, 2, 8];
const [solIpv6, ipv6Only] = [41, 26];

export class PortSocket implements Disposable {
  private fd: number;

  /** Binds (and for TCP listens, which is what makes a conflict show). Throws SyscallError: EADDRINUSE, EADDRNOTAVAIL, EACCES. */
  constructor(protocol: "tcp" | "udp", ip: string, port: number) {
    const type = protocol === "tcp" ? sockStream : sockDgram;
    const isIpv6 = familyOf(ip) === 6;
    this.fd = check(libc.socket(isIpv6 ? afInet6 : afInet, type | sockCloexec, 0), "socket", protocol);
    try {
      // TCP: connections in TIME_WAIT of the port's last user are no conflict. UDP: keep next to nothing of stray datagrams.
      const [option, value] = protocol === "tcp" ? [soReuseAddr, 1] : [soRcvBuf, 1];
      this.set(solSocket, option, value, protocol);
      // Version 4 has a socket of its own.
      if (isIpv6) this.set(solIpv6, ipv6Only, 1, protocol);
      const name = socketName(ip, port);
      check(libc.bind(this.fd, address(name), name.length), "bind", `${ip}:${port}`);
      if (protocol === "tcp") check(libc.listen(this.fd, 1), "listen", `${ip}:${port}`);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  private set(level: number, option: number, value: number, what: string): void {
    const number = Buffer.alloc(4);
    number.writeInt32LE(value);
    check(libc.setsockopt(this.fd, level, option, address(number), number.length), "setsockopt", what);
  }

  /** Frees the port. Idempotent. */
  [Symbol.dispose](): void {
    if (this.fd >= 0) libc.close(this.fd);
    this.fd = -1;
  }
}

/** struct sockaddr_in or sockaddr_in6. */
function socketName(ip: string, port: number): Buffer {
  const isIpv6 = familyOf(ip) === 6;
  const name = Buffer.alloc(isIpv6 ? 28 : 16);
  name.writeUInt16LE(isIpv6 ? afInet6 : afInet, 0);
  name.writeUInt16BE(port, 2);
  name.set(addressBytes(ip), isIpv6 ? 8 : 4);
  return name;
}
