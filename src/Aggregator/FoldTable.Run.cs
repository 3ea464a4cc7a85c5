using System.Runtime.CompilerServices;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Aggregator;

/// <content>The loop over the records, compiled for each shape of key and meters (<see cref="WordCount"/>).</content>
internal sealed unsafe partial class FoldTable
{
    /// <summary>Folds rows that lie one after another: three steps a record, each a distance ahead of the next one.</summary>
    /// <typeparam name="TKey">Words of the key.</typeparam>
    /// <typeparam name="TSums">Meters, when all are sums.</typeparam>
    /// <typeparam name="TWhole">Known when a row is a record without its hash: then keys lie in the records, and hashes before them.</typeparam>
    [SkipLocalsInit]
    private void FoldRun<TKey, TSums, TWhole>(byte* source, int count)
        where TKey : unmanaged
        where TSums : unmanaged
        where TWhole : unmanaged
    {
        var hashes = stackalloc ulong[RingSize];
        var candidates = stackalloc byte*[RingSize];
        var made = Math.Min(count, 2 * Distance);
        for (var index = 0; index < made; index++)
        {
            hashes[index] = MakeKey<TKey, TWhole>(source + ((nint)index * SourceRowBytes<TKey, TSums, TWhole>()), index);
        }

        var found = Math.Min(count, Distance);
        for (var index = 0; index < found; index++)
        {
            candidates[index] = FindCandidate<TKey, TSums>(hashes[index]);
        }

        var record = source;
        var ahead = source + ((nint)made * SourceRowBytes<TKey, TSums, TWhole>());
        for (var index = 0; index < count; index++)
        {
            if (made < count)
            {
                hashes[made & RingMask] = MakeKey<TKey, TWhole>(ahead, made);
                made++;
                ahead += SourceRowBytes<TKey, TSums, TWhole>();
            }

            if (found < count)
            {
                candidates[found & RingMask] = FindCandidate<TKey, TSums>(hashes[found & RingMask]);
                found++;
            }

            var key = (ulong*)(UsesSourceKeys<TWhole>() ? record + KeyOffset<TWhole>() : _keyScratch + ((index & RingMask) * _keyBytes));
            var meters = (ulong*)(record + MetersOffset<TKey, TWhole>());
            var candidate = (ulong*)candidates[index & RingMask];
            if (candidate != null && RowVectors.AreEqual(candidate, key, KeyWords<TKey>()))
            {
                FoldMeters<TSums>(candidate + KeyWords<TKey>(), meters);
            }
            else if (candidate != null || !TryInsert<TKey, TSums>(hashes[index & RingMask], key, meters))
            {
                FoldOne(hashes[index & RingMask], key, meters);
            }

            record += SourceRowBytes<TKey, TSums, TWhole>();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int KeyWords<TKey>()
        where TKey : unmanaged => WordCount.IsKnown<TKey>() ? WordCount.Of<TKey>() : _keyWords;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int MeterWords<TSums>()
        where TSums : unmanaged => WordCount.IsKnown<TSums>() ? WordCount.Of<TSums>() : _meterWords;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int RowBytes<TKey, TSums>()
        where TKey : unmanaged
        where TSums : unmanaged => (KeyWords<TKey>() + MeterWords<TSums>()) * sizeof(ulong);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool UsesSourceKeys<TWhole>()
        where TWhole : unmanaged => WordCount.IsKnown<TWhole>() || _usesSourceKeys;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int KeyOffset<TWhole>()
        where TWhole : unmanaged => WordCount.IsKnown<TWhole>() ? StreamSchema.HashBytes : _sourceKeyOffset;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int MetersOffset<TKey, TWhole>()
        where TKey : unmanaged
        where TWhole : unmanaged =>
        WordCount.IsKnown<TWhole>() ? StreamSchema.HashBytes + (KeyWords<TKey>() * sizeof(ulong)) : _sourceMetersOffset;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int SourceRowBytes<TKey, TSums, TWhole>()
        where TKey : unmanaged
        where TSums : unmanaged
        where TWhole : unmanaged =>
        WordCount.IsKnown<TWhole>() ? StreamSchema.HashBytes + RowBytes<TKey, TSums>() : _sourceRowBytes;

    /// <summary>The first step: makes the key where it is not the source's own, and asks for the slot of its hash.</summary>
    /// <returns>The hash.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong MakeKey<TKey, TWhole>(byte* source, int index)
        where TKey : unmanaged
        where TWhole : unmanaged
    {
        var key = source + KeyOffset<TWhole>();
        if (!UsesSourceKeys<TWhole>())
        {
            key = Project(key, _keyScratch + ((index & RingMask) * _keyBytes));
        }

        var hash = WordCount.IsKnown<TWhole>() || _hashesTags ? TagHash.Combine(*(ulong*)source, *(ulong*)key) : TagHash.OfWords((ulong*)key, KeyWords<TKey>());
        Prefetch(_slots + (hash >> (64 - _slotShift)));
        return hash;
    }

    /// <summary>The second step: asks for the row that the first matching slot names.</summary>
    /// <returns>That row, which may be another key's; null when there is none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* FindCandidate<TKey, TSums>(ulong hash)
        where TKey : unmanaged
        where TSums : unmanaged
    {
        var place = hash >> (64 - _slotShift);
        var slot = _slots[place];
        if (slot != 0 && slot >> FragmentShift != hash >> FragmentShift)
        {
            slot = _slots[(place + 1) & ((1UL << _slotShift) - 1)]; // One step covers most walks at half load.
        }

        if (slot == 0 || slot >> FragmentShift != hash >> FragmentShift)
        {
            return null;
        }

        var row = _rows[(int)(uint)slot - 1];
        for (var offset = 0; offset < RowBytes<TKey, TSums>(); offset += CacheLineBytes)
        {
            Prefetch(row + offset);
        }

        Prefetch(row + RowBytes<TKey, TSums>() - 1); // Rows don't start at lines.
        return row;
    }

    /// <summary>The third step for a record that had no candidate: it is new as a rule, and its row is added without a call.</summary>
    /// <returns>False when it is not new, or the table has no room for it.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryInsert<TKey, TSums>(ulong hash, ulong* key, ulong* meters)
        where TKey : unmanaged
        where TSums : unmanaged
    {
        var slots = _slots;
        var place = hash >> (64 - _slotShift);
        var slot = slots[place];
        while (slot != 0 && slot >> FragmentShift != hash >> FragmentShift)
        {
            place = (place + 1) & ((1UL << _slotShift) - 1);
            slot = slots[place];
        }

        if (slot != 0 || _rows.Count - _overflowRowCount >= _rowsMax)
        {
            return false; // Of the same half of the hash, so perhaps this very key: it has come since the second step.
        }

        var row = (ulong*)_rows.Append();
        RowVectors.Copy(key, row, KeyWords<TKey>());
        RowVectors.Copy(meters, row + KeyWords<TKey>(), MeterWords<TSums>());
        SetSlot(hash, place);
        return true;
    }
}
