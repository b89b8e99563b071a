/** A host port held by a bound socket, so that no other process takes it while the packet filter sends its traffic to a container. */

import { ipv4Bytes } from "./inet.ts";
import { address, check, libc } from "./libc.ts";

const [afInet, sockStream, sockDgram, sockCloexec] = [2, 1, 2, 0x80000];
const [solSocket, soReuseAddr, soRcvBuf] = [1, 2, 8];

export class PortSocket implements Disposable {
  private fd: number;

  /** Binds (and for TCP listens, which is what makes a conflict show). Throws SyscallError: EADDRINUSE, EADDRNOTAVAIL, EACCES. */
  constructor(protocol: "tcp" | "udp", ip: string, port: number) {
    const type = protocol === "tcp" ? sockStream : sockDgram;
    this.fd = check(libc.socket(afInet, type | sockCloexec, 0), "socket", protocol);
    try {
      // TCP: connections in TIME_WAIT of the port's last user are no conflict. UDP: keep next to nothing of stray datagrams.
      const [option, value] = protocol === "tcp" ? [soReuseAddr, 1] : [soRcvBuf, 1];
      const number = Buffer.alloc(4);
      number.writeInt32LE(value);
      check(libc.setsockopt(this.fd, solSocket, option, address(number), 4), "setsockopt", protocol);
      const name = Buffer.alloc(16);
      name.writeUInt16LE(afInet, 0);
      name.writeUInt16BE(port, 2);
      name.set(ipv4Bytes(ip), 4);
      check(libc.bind(this.fd, address(name), name.length), "bind", `${ip}:${port}`);
      if (protocol === "tcp") check(libc.listen(this.fd, 1), "listen", `${ip}:${port}`);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Frees the port. Idempotent. */
  [Symbol.dispose](): void {
    if (this.fd >= 0) libc.close(this.fd);
    this.fd = -1;
  }
}
