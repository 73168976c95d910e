// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver itself costs: its operations are called on a connection whose packets go nowhere,
 * and its transfers end when they are told to. What the same transfers and the memory of the same
 * packets cost without a driver is measured, too.
 *
 * Packets are made before the clock starts, and freed after it has stopped.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "bench.h"

#define CELL 53
#define PAYLOAD 48
#define TRAILER 8
/* More than any driver's transfers have. */
#define TRANSFER_MAX 65536

/* Those that the driver has returned or received. */
static struct sk_buff_head done;

struct circuit {
	struct socket *socket;
	struct atm_vcc *vcc;
	void (*push)(struct atm_vcc *vcc, struct sk_buff *skb);
	void (*pop)(struct atm_vcc *vcc, struct sk_buff *skb);
};

static void keep(struct atm_vcc *vcc, struct sk_buff *skb)
{
	skb_queue_tail(&done, skb);
}

static int circuit_connect(struct socket *socket, int device)
{
	struct atm_trafprm parameters = { .traffic_class = ATM_UBR, .max_sdu = 65535 };
	struct atm_qos qos = { .txtp = parameters, .rxtp = parameters, .aal = ATM_AAL5 };
	struct sockaddr_atmpvc address = {
		.sap_family = AF_ATMPVC,
		.sap_addr = { .itf = device, .vpi = 8, .vci = 35 },
	};
	int error;

	error = socket->ops->setsockopt(socket, SOL_ATM, SO_ATMQOS, KERNEL_SOCKPTR(&qos),
					sizeof(qos));
	return error ?: kernel_connect(socket, (void *)&address, sizeof(address), 0);
}

static int circuit_open(struct circuit *circuit, int device)
{
	int error;

	error = sock_create_kern(&init_net, PF_ATMPVC, SOCK_DGRAM, ATM_AAL5, &circuit->socket);
	if (error)
		return error;
	error = circuit_connect(circuit->socket, device);
	if (error) {
		sock_release(circuit->socket);
		return error;
	}
	circuit->vcc = ATM_SD(circuit->socket);
	circuit->push = circuit->vcc->push;
	circuit->pop = circuit->vcc->pop;
	circuit->vcc->push = keep;
	circuit->vcc->pop = keep;
	return 0;
}

static void circuit_close(struct circuit *circuit)
{
	circuit->vcc->push = circuit->push;
	circuit->vcc->pop = circuit->pop;
	sock_release(circuit->socket);
}

static int make_packets(struct sk_buff_head *packets, const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->batch; i++) {
		struct sk_buff *skb = alloc_skb(run->length, GFP_KERNEL);

		if (!skb)
			return -ENOMEM;
		memset(skb_put(skb, run->length), i, run->length);
		__skb_queue_tail(packets, skb);
	}
	return 0;
}

/* What it costs to keep packets here, where a protocol would do its own work. */
static int add_keeping(const struct run *run, unsigned int packets, s64 *floor)
{
	struct sk_buff_head made;
	struct sk_buff *skb;
	int error;

	__skb_queue_head_init(&made);
	error = make_packets(&made, run);
	if (!error) {
		ktime_t begin = ktime_get();

		while ((skb = __skb_dequeue(&made)))
			keep(NULL, skb);
		*floor += ktime_to_ns(ktime_sub(ktime_get(), begin)) * packets / run->batch;
		skb_queue_purge(&done);
	}
	__skb_queue_purge(&made);
	return error;
}

/* As a network protocol does: with bottom halves off. */
static int send(struct atm_vcc *vcc, struct sk_buff *skb)
{
	int error;

	local_bh_disable();
	error = vcc->dev->ops->send(vcc, skb);
	local_bh_enable();
	return error;
}

/* Where the bytes of transfers are kept, for those who want to see them again. */
struct record {
	u8 *bytes;
	size_t room;
	size_t length;
	size_t *ends;
	unsigned int count;
};

/* Sends a batch, and lets all of its transfers end. */
static int send_batch(struct atm_vcc *vcc, struct sk_buff_head *packets, struct measured *measured,
		      struct record *record)
{
	ktime_t begin = ktime_get();
	struct sk_buff *skb;
	size_t length;

	while ((skb = __skb_dequeue(packets))) {
		int error = send(vcc, skb);

		if (error)
			return error;
	}
	do {
		length = host_finish_out(record ? record->bytes + record->length : NULL,
					 record ? record->room - record->length : 0);
		if (!length)
			break;
		measured->transfers++;
		measured->cells += length / CELL;
		if (record) {
			record->length += length;
			record->ends[record->count++] = record->length;
		}
	} while (true);
	measured->took += ktime_to_ns(ktime_sub(ktime_get(), begin));
	return 0;
}

static int send_all(struct atm_vcc *vcc, const struct run *run, struct measured *measured)
{
	struct sk_buff_head packets;
	unsigned int sent;
	int error;

	__skb_queue_head_init(&packets);
	for (sent = 0; sent < run->packets; sent += run->batch) {
		error = make_packets(&packets, run) ?: send_batch(vcc, &packets, measured, NULL);
		__skb_queue_purge(&packets);
		if (error)
			return error;
		if (skb_queue_len(&done) != run->batch)
			return -EIO;
		skb_queue_purge(&done);
	}
	measured->floor = host_floor(false, measured->transfers, NULL, CELL);
	if (measured->floor < 0)
		return measured->floor;
	return add_keeping(run, sent, &measured->floor);
}

int measure_send(const struct run *run, struct measured *measured)
{
	struct circuit circuit;
	int error;

	skb_queue_head_init(&done);
	error = circuit_open(&circuit, run->device);
	if (error)
		return error;
	host_hold(true);
	error = send_all(circuit.vcc, run, measured);
	host_hold(false);
	circuit_close(&circuit);
	skb_queue_purge(&done);
	return error;
}

static void free_received(struct atm_vcc *vcc)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&done))) {
		atm_return(vcc, skb->truesize);
		kfree_skb(skb);
	}
}

/* The memory of packets, and the transfers that bring them. */
static s64 floor_of(const struct run *run, const struct record *record)
{
	struct sk_buff_head packets;
	size_t start = 0;
	s64 floor = 0, part;
	ktime_t begin;
	unsigned int i;

	for (i = 0; i < record->count; i++) {
		part = host_floor(true, 1, record->bytes + start, record->ends[i] - start);
		if (part < 0)
			return part;
		floor += part;
		start = record->ends[i];
	}
	__skb_queue_head_init(&packets);
	begin = ktime_get();
	for (i = 0; i < run->batch; i++) {
		struct sk_buff *skb = dev_alloc_skb(run->length);

		if (!skb)
			break;
		__skb_queue_tail(&packets, skb);
	}
	floor += ktime_to_ns(ktime_sub(ktime_get(), begin));
	__skb_queue_purge(&packets);
	return floor;
}

/* Receives what was recorded. */
static int receive_batch(const struct run *run, const struct record *record,
			 struct measured *measured)
{
	ktime_t begin = ktime_get();
	size_t start = 0;
	unsigned int i;

	for (i = 0; i < record->count; i++) {
		if (!host_finish_in(record->bytes + start, record->ends[i] - start))
			return -ENOBUFS;
		start = record->ends[i];
	}
	measured->took += ktime_to_ns(ktime_sub(ktime_get(), begin));
	measured->cells += record->length / CELL;
	measured->transfers += record->count;
	return skb_queue_len(&done) == run->batch ? 0 : -EIO;
}

static int receive_all(struct atm_vcc *vcc, const struct run *run, struct record *record,
		       struct measured *measured)
{
	struct measured sending = {};
	struct sk_buff_head packets;
	unsigned int received;
	s64 floor;
	int error;

	__skb_queue_head_init(&packets);
	error = make_packets(&packets, run) ?: send_batch(vcc, &packets, &sending, record);
	__skb_queue_purge(&packets);
	skb_queue_purge(&done);
	if (error)
		return error;
	for (received = 0; received < run->packets; received += run->batch) {
		error = receive_batch(run, record, measured);
		free_received(vcc);
		if (error)
			return error;
		floor = floor_of(run, record);
		if (floor < 0)
			return floor;
		measured->floor += floor;
	}
	return add_keeping(run, received, &measured->floor);
}

int measure_receive(const struct run *run, struct measured *measured)
{
	/* Two cells' worth more than the bytes of each packet. */
	size_t cells = (run->length + TRAILER + PAYLOAD - 1) / PAYLOAD;
	struct record record = { .room = run->batch * cells * CELL + TRANSFER_MAX };
	struct circuit circuit;
	int error;

	skb_queue_head_init(&done);
	record.bytes = kvmalloc(record.room, GFP_KERNEL);
	/* No transfer is empty. */
	record.ends = kvmalloc_array(run->batch * cells, sizeof(*record.ends), GFP_KERNEL);
	if (!record.bytes || !record.ends) {
		error = -ENOMEM;
		goto out;
	}
	error = circuit_open(&circuit, run->device);
	if (error)
		goto out;
	host_hold(true);
	error = receive_all(circuit.vcc, run, &record, measured);
	host_hold(false);
	free_received(circuit.vcc);
	circuit_close(&circuit);
out:
	kvfree(record.ends);
	kvfree(record.bytes);
	return error;
}
