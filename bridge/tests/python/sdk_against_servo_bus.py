"""Runs ROBOTIS' own dynamixel-sdk against the emulated servo bus and compares what both say.

python sdk_against_servo_bus.py PORT   (servos with ids 0 to 3, as `servo_bus 4` makes them)
"""

import sys
import time

import dynamixel_sdk as dxl

BAUD = 4_000_000
MODEL, DELAY, MODE, TORQUE, HARDWARE_ERROR, P_GAIN, GOAL_CURRENT, PROFILE, GOAL, PRESENT = (
    0, 9, 11, 64, 70, 84, 102, 112, 116, 132)
IDS = [0, 1, 2, 3]
ACCESS_ERROR, DATA_RANGE_ERROR, DATA_LIMIT_ERROR = 7, 4, 6


def done(answer):
    """The data of a transaction that must work."""
    *data, result, error = answer
    assert result == dxl.COMM_SUCCESS, (result, answer)
    assert error == 0, error
    return data[0] if data else None


def refused(answer, number):
    """A transaction that the servo must refuse with this number."""
    *_, result, error = answer
    assert result == dxl.COMM_SUCCESS and error == number, (answer, number)


def main(path):
    port = dxl.PortHandler(path)
    assert port.openPort() and port.setBaudRate(BAUD), path
    packets = dxl.PacketHandler(2.0)

    # Who is there, one by one and all at once.
    for servo in IDS:
        assert done(packets.ping(port, servo)) == 1240
    found, result = packets.broadcastPing(port)
    assert result == dxl.COMM_SUCCESS and sorted(found) == IDS, (found, result)
    assert all(row[0] == 1240 and row[1] == 52 for row in found.values()), found
    _, result, _ = packets.ping(port, 77)
    assert result == dxl.COMM_RX_TIMEOUT, result

    # Reads and writes; a register of four bytes takes the pattern that has to be stuffed, there and back.
    assert done(packets.read2ByteTxRx(port, 1, MODEL)) == 1240
    done(packets.write2ByteTxRx(port, 1, P_GAIN, 611))
    assert done(packets.read2ByteTxRx(port, 1, P_GAIN)) == 611
    done(packets.write4ByteTxRx(port, 1, PROFILE, 0x00FDFFFF))
    assert done(packets.read4ByteTxRx(port, 1, PROFILE)) == 0x00FDFFFF
    done(packets.write4ByteTxRx(port, 1, PROFILE, 0xFDFFFFFD))
    assert done(packets.read4ByteTxRx(port, 1, PROFILE)) == 0xFDFFFFFD

    # What a servo refuses, and with which number.
    refused(packets.write1ByteTxRx(port, 1, TORQUE, 3), DATA_RANGE_ERROR)
    refused(packets.write2ByteTxRx(port, 1, GOAL_CURRENT, 30_000), DATA_LIMIT_ERROR)
    refused(packets.write1ByteTxRx(port, 1, HARDWARE_ERROR, 0), ACCESS_ERROR)
    refused(packets.write2ByteTxRx(port, 1, MODEL, 1), ACCESS_ERROR)

    # EEPROM is locked while there is torque. A change of the mode takes the gains back.
    done(packets.write1ByteTxRx(port, 1, MODE, 5))
    assert done(packets.read2ByteTxRx(port, 1, P_GAIN)) == 400
    done(packets.write1ByteTxRx(port, 1, TORQUE, 1))
    refused(packets.write1ByteTxRx(port, 1, MODE, 3), ACCESS_ERROR)
    assert done(packets.read1ByteTxRx(port, 1, MODE)) == 5
    done(packets.write1ByteTxRx(port, 1, TORQUE, 0))

    # All at once: goals written together, angles read together, both ways of reading.
    for servo in IDS:
        done(packets.write1ByteTxRx(port, servo, MODE, 5))
        done(packets.write2ByteTxRx(port, servo, GOAL_CURRENT, 350))
        done(packets.write1ByteTxRx(port, servo, TORQUE, 1))
    goals = {servo: 2048 + 50 * servo for servo in IDS}
    write = dxl.GroupSyncWrite(port, packets, GOAL, 4)
    for servo, goal in goals.items():
        assert write.addParam(servo, list(goal.to_bytes(4, "little")))
    assert write.txPacket() == dxl.COMM_SUCCESS
    time.sleep(1.0)
    read = dxl.GroupSyncRead(port, packets, PRESENT, 4)
    for servo in IDS:
        assert read.addParam(servo)
    for transaction in (read.txRxPacket, read.fastSyncRead):
        assert transaction() == dxl.COMM_SUCCESS, transaction
        for servo, goal in goals.items():
            assert read.isAvailable(servo, PRESENT, 4)
            at = read.getData(servo, PRESENT, 4)
            assert abs(at - goal) <= 1, (servo, at, goal)
            assert at == done(packets.read4ByteTxRx(port, servo, PRESENT))

    # A restart forgets RAM and keeps EEPROM.
    _, error = packets.reboot(port, 1)
    assert error == 0, error
    time.sleep(0.4)
    assert done(packets.read1ByteTxRx(port, 1, TORQUE)) == 0
    assert done(packets.read2ByteTxRx(port, 1, P_GAIN)) == 400
    assert done(packets.read1ByteTxRx(port, 1, MODE)) == 5
    port.closePort()
    print("all agree")


if __name__ == "__main__":
    main(sys.argv[1])
